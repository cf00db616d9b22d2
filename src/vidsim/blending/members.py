"""The ensemble's members: one embedding matrix per recipe and fold, and where each lies.

A blend adds row n of one file to row n of another. If the two rows were not the same video the
result would still look like a result, so ids are compared before anything is added.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidsim.blending.member_file import MemberFile, name_ids
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.recipes import registry

_NAME = re.compile(r"\w[\w-]{0,63}")
_TAKEN = re.compile(r"fold\d+(_val)?")  # names of what lies beside


def test_name(given: str | Path | None, default: str | Path, out: str | None = None) -> str | None:
    """The name of the place for embeddings, report and submission of some test videos.

    Test videos other than the data folder's own have a place of their own, so that they replace
    nothing of the submission's.

    Args:
        given: a path or a pattern, as the user wrote it; None for the default.
        default: the data folder's own test videos.
        out: the name, where the user gave one (``--out``).

    Returns:
        None for the data folder's own test videos; else ``out``, or a name made of the file's.

    Raises:
        VidsimError: ``out`` cannot be the name of a folder here.
    """
    if out is not None:
        if not _NAME.fullmatch(out) or _TAKEN.fullmatch(out):
            raise VidsimError(
                f"--out {out!r}: accepted are 1 to 64 letters, digits, _ and - (not fold0 and the "
                "like, which lie beside it)"
            )
        return out
    if given is None or Path(given).resolve() == Path(default).resolve():
        return None
    name = re.sub(r"[^\w]+", "-", Path(given).stem).strip("-")[:64] or "test"
    return f"test-{name}"[:64] if _TAKEN.fullmatch(name) else name


def member_path(save_dir: Path, run: str, fold: int, test_name: str | None = None) -> Path:
    """Embeddings of every test video by the run's model of this fold.

    Args:
        save_dir: ``Common.task_dir``: the save folder, or a task's folder in it.
        run: the recipe, with its run name where it has one: ``mix`` or ``mix@other``.
        fold: its number.
        test_name: of test videos other than the data folder's own, by ``test_name``.
    """
    folder = Path(save_dir) / "inference" / run
    return (folder if test_name is None else folder / test_name) / f"fold{fold}.npz"


def validation_path(save_dir: Path, run: str, fold: int) -> Path:
    """Embeddings of the videos of the fold's validation pairs by the same model."""
    return Path(save_dir) / "inference" / run / f"fold{fold}_val.npz"


def load_member(path: Path, ids: np.ndarray) -> np.ndarray:
    """Reads one member whole, (N, D) float32; arguments and errors are ``MemberFile``'s."""
    return MemberFile(path, ids)[:]


def find_members(
    common: Common,
    names: Sequence[str],
    folds: Sequence[int],
    test_name: str | None = None,
    flags: Sequence[str] = (),
    tested: bool = True,
) -> list[Path]:
    """The files of every recipe and fold.

    Args:
        common: folders and run name.
        names: the recipes.
        folds: their folds.
        test_name: of test videos other than the data folder's own.
        flags: that inference needs besides to make them.
        tested: whether there are test videos; False: only validation's files are looked for.

    Raises:
        VidsimError: some are missing; it tells how to make them.
    """
    members: dict[Path, tuple[str, int]] = {}
    for name in names:
        run = common.run(name)
        for fold in folds:
            if tested:
                members[member_path(common.task_dir, run, fold, test_name)] = (name, fold)
            members[validation_path(common.task_dir, run, fold)] = (name, fold)
    missing = {path: member for path, member in members.items() if not path.is_file()}
    if missing:
        recipes = list(dict.fromkeys(name for name, _ in missing.values()))
        numbers = sorted({fold for _, fold in missing.values()})
        made = command(common, recipes, numbers)
        raise VidsimError(
            f"{len(missing)} of {len(members)} files of embeddings are missing: "
            f"{name_ids([str(path) for path in missing])}. Make them with\n"
            f"    python inference {shlex.join([*made, *flags])}\n"
            f"(before it, where a model is not trained yet: python finetune {shlex.join(made)}), "
            "or name the folds to blend with --folds"
        )
    return list(members)


def command(common: Common, recipes: Sequence[str], folds: Sequence[int]) -> list[str]:
    """The flags of another command for the same folders, for these recipes and folds."""
    flags = []
    for name in ("task", "data_dir", "save_dir", "size", "run_name"):
        value = getattr(common, name)
        if value != getattr(Common(), name):
            flags += [f"--{name.replace('_', '-')}", str(value)]
    words = registry.words(common.recipes)
    named = ",".join(words[name] for name in recipes)
    return [*flags, "--recipes", named, "--folds", ",".join(map(str, folds))]
