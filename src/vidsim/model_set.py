"""Which models a folder stands for: a checkpoint, the folds of a recipe, or what was blended."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.blending.blend import l2_normalize, side_by_side, weighted_sum
from vidsim.blending.fold_mean import fold_mean
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.pretrained.json_files import read_json_object
from vidsim.training.checkpoint import CONFIG, WEIGHTS
from vidsim.training.checkpoint_keeper import MANIFEST, best_checkpoint, numbered_folders
from vidsim.training.run_record import DONE

REPORT = "report.json"
_FOLD = re.compile(r"fold([0-9]+)")
_FORMS = ("sum", "svd")


@dataclass(frozen=True)
class ModelSet:
    """Checkpoints whose vectors make one vector a video.

    Attributes:
        folder: what the user named.
        recipes: the checkpoints' folders, by recipe.
        form: "single" (the vector as it comes), "mean" (over the folds), or how recipes are
            blended: "sum" or "svd".
        weights: of the recipes, where they are blended.
        raw: whether vectors are averaged and blended as they come, and not at length one.
    """

    folder: Path
    recipes: Mapping[str, Sequence[Path]]
    form: str
    weights: Mapping[str, float] = field(default_factory=dict)
    raw: bool = False

    @property
    def checkpoints(self) -> list[Path]:
        """The folders of all checkpoints, recipe by recipe."""
        return [folder for folders in self.recipes.values() for folder in folders]

    def identity(self) -> dict[str, Any]:
        """What the vectors depend on, wherever the files lie: hashes, form and weights."""
        digests = {
            name: [file_digest(folder / CONFIG) for folder in folders]
            for name, folders in self.recipes.items()
        }
        made = {"form": self.form, "raw": self.raw, "weights": dict(self.weights)}
        return {**made, "checkpoints": digests}

    def combined(self, embed: Callable[[Path], np.ndarray]) -> np.ndarray:
        """The vectors of N videos.

        By "svd" these are the recipes' means side by side, each scaled by the square root of its
        weight, so that a cosine of two videos is the weighted mean of the recipes' cosines. That is
        what the ensemble's 256 directions approximate; but those are fitted on the videos that are
        blended together, and a new video may lie outside of them. Nothing is cut off here, and a
        video's vector is the same whichever others it is embedded with.

        Args:
            embed: a checkpoint's folder to its (N, D); called for one after the other.

        Returns:
            (N, D) float32; by "svd" (N, sum of the recipes' D).
        """
        if self.form == "single":
            return embed(self.checkpoints[0])
        means = [
            fold_mean((embed(folder) for folder in folders), self.raw)
            for folders in self.recipes.values()
        ]
        if self.form == "mean":
            return means[0]
        if not self.raw:
            means = [l2_normalize(mean) for mean in means]
        weights = [self.weights[name] for name in self.recipes]
        if self.form == "sum":
            return weighted_sum(means, weights)(means).astype(np.float32)
        return side_by_side(means, weights).astype(np.float32)


def find_model_set(folder: Path) -> ModelSet:
    """The models of a folder: of a checkpoint, a run, a recipe's runs, or an ensemble.

    Raises:
        VidsimError: it is none of these, a fold is not finished, or a checkpoint that was blended
            is gone.
    """
    if (folder / WEIGHTS).exists():
        return ModelSet(folder, {folder.name: [folder]}, "single")
    if (folder / MANIFEST).exists():
        return ModelSet(folder, {folder.name: [best_checkpoint(folder)]}, "single")
    if (folder / REPORT).exists():
        return _blend(folder)
    found = [path for path in folder.glob("fold*") if path.is_dir()]
    folds = {int(match[1]): path for path in found if (match := _FOLD.fullmatch(path.name))}
    if folds:
        return ModelSet(folder, {folder.name: [_finished(folds[n]) for n in sorted(folds)]}, "mean")
    raise VidsimError(
        f"{folder}: no finished checkpoint here ({MANIFEST} is missing); accepted are the folder "
        "of a checkpoint or a run (save/finetune/uniter/fold0), of all folds of a recipe "
        f"(save/finetune/uniter), or of an ensemble (save/ensemble, with its {REPORT})"
    )


def is_model_set(folder: Path) -> bool:
    """Whether a folder has the files of vidsim's own models, finished and undamaged or not.

    A Hugging Face folder may have files and folders of the same names: see its config.json first.
    """
    if any((folder / name).exists() for name in (MANIFEST, REPORT)):
        return True
    if (folder / WEIGHTS).exists():
        config = folder / CONFIG
        return config.is_file() and "family" in read_json_object(config)
    return any(_FOLD.fullmatch(path.name) for path in folder.glob("fold*/"))


def _finished(run: Path) -> Path:
    """The best checkpoint of a fold's run."""
    if not (run / DONE).exists():
        raise VidsimError(
            f"{run}: not finished ({DONE} is missing), so the mean would lack this fold or take an "
            "early checkpoint; finetune it to the end, move its folder away, or name one fold"
        )
    return best_checkpoint(run)


def _blend(folder: Path) -> ModelSet:
    """What the report of an ensemble says that it blended."""
    path = folder / REPORT
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        form, raw, origin = report["blend"], bool(report["raw"]), report["origin"]
        members = [(m["recipe"], int(m["fold"]), m) for m in origin["members"]]
        names = list(dict.fromkeys(name for name, _, _ in members))
        weights = {name: float(report["spearman"][name]["weight"]) for name in names}
        task_dir = folder.parent if origin.get("test_name") is None else folder.parent.parent
        run_name = origin.get("run_name")
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise VidsimError(
            f"{path}: not the report of an ensemble of embeddings ({error!r:.100})"
        ) from None
    if not names:
        raise VidsimError(f"{path}: no model is named in it")
    if form not in _FORMS:
        raise VidsimError(
            f"{path}: the blend is {form!r:.40}, whose bases are turned by the videos blended, so "
            f"that a new video has no place; accepted are {' and '.join(_FORMS)}: python ensemble "
            "--blend svd"
        )
    recipes: dict[str, list[Path]] = {name: [] for name in names}
    for name, fold, member in members:
        run = task_dir / "finetune" / (name if run_name is None else f"{name}@{run_name}")
        recipes[name].append(_blended(path, run / f"fold{fold}", member))
    return ModelSet(folder, recipes, form, weights, raw)


def _blended(report: Path, run: Path, member: Mapping[str, Any]) -> Path:
    """The checkpoint that made a member, known by its hash: in its run, or where it was then."""
    digest, then = member.get("checkpoint_sha256"), member.get("checkpoint")
    if digest is None:
        raise VidsimError(
            f"{report}: it does not say which checkpoint made {member.get('file')}; embed the "
            "videos by inference, and blend again"
        )
    for folder in [*numbered_folders(run, "ckpt"), *([Path(then)] if then else [])]:
        if (folder / CONFIG).is_file() and file_digest(folder / CONFIG) == digest:
            return folder
    raise VidsimError(
        f"{run}: the checkpoint that was blended is not there (sha256 {digest[:12]}, of {report}); "
        "make the ensemble again from the runs that there are now"
    )
