"""The ensemble's members: one embedding matrix per recipe and fold, and where each lies.

A blend adds row n of one file to row n of another. If the two rows were not the same video the
result would still look like a result, so ids are compared before anything is added.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidsim.blending.member_file import MemberFile, name_ids
from vidsim.config import Common
from vidsim.errors import VidsimError


def member_path(save_dir: Path, recipe: str, fold: int) -> Path:
    """Embeddings of every test video by the recipe's model of this fold."""
    return Path(save_dir) / "inference" / recipe / f"fold{fold}.npz"


def validation_path(save_dir: Path, recipe: str, fold: int) -> Path:
    """Embeddings of the videos of the fold's validation pairs by the same model."""
    return Path(save_dir) / "inference" / recipe / f"fold{fold}_val.npz"


def load_member(path: Path, ids: np.ndarray) -> np.ndarray:
    """Reads one member whole, (N, D) float32; arguments and errors are ``MemberFile``'s."""
    return MemberFile(path, ids)[:]


def find_members(common: Common, names: Sequence[str], folds: Sequence[int]) -> list[Path]:
    """The files of every recipe and fold.

    Raises:
        VidsimError: some are missing; it tells how to make them.
    """
    members = {
        path(common.save_dir, name, fold): (name, fold)
        for name in names
        for fold in folds
        for path in (member_path, validation_path)
    }
    missing = {path: member for path, member in members.items() if not path.is_file()}
    if missing:
        recipes = ",".join(dict.fromkeys(name for name, _ in missing.values()))
        numbers = ",".join(map(str, sorted({fold for _, fold in missing.values()})))
        changed = [
            f"--{flag.replace('_', '-')} {getattr(common, flag)} "
            for flag in ("data_dir", "save_dir", "size")
            if getattr(common, flag) != getattr(Common(), flag)
        ]
        flags = f"{''.join(changed)}--recipes {recipes} --folds {numbers}"
        raise VidsimError(
            f"{len(missing)} of {len(members)} files of embeddings are missing: "
            f"{name_ids([str(path) for path in missing])}. Make them with\n"
            f"    python inference {flags}\n"
            f"(before it, where a model is not trained yet: python finetune {flags}), or name the "
            "folds to blend with --folds"
        )
    return list(members)
