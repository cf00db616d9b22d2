"""Keeps a run's best and last checkpoint, and says which is which."""

import json
import math
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.training.checkpoint import WEIGHTS

MANIFEST = "checkpoints.json"
JUDGED_BY_SPEARMAN = MappingProxyType({"metric": "spearman", "greater_is_better": True})
"""What chose the best checkpoint where a manifest or state does not say it: those of before."""


class CheckpointKeeper:
    """Two checkpoints of a run: the best by a metric and the last, one folder where they agree.

    Args:
        run_dir: the run's folder; checkpoints are ``ckpt-<step>`` in it.
        save: writes a checkpoint into the folder it is given, with the given metrics.
        metric: the key that decides; NaN is never the best.
        greater_is_better: whether the best is the greatest or the smallest.
    """

    def __init__(
        self,
        run_dir: Path,
        save: Callable[[Path, dict[str, Any]], None],
        metric: str = "spearman",
        greater_is_better: bool = True,
    ):
        self.run_dir = run_dir
        self.best: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self._save = save
        self._metric, self._greater_is_better = metric, greater_is_better

    @property
    def judged_by(self) -> dict[str, Any]:
        """What decides which checkpoint is the best: metric and sign."""
        return {"metric": self._metric, "greater_is_better": self._greater_is_better}

    def keep(self, step: int, metrics: dict[str, float]) -> bool:
        """Writes ckpt-<step>; nothing knows of it before `publish`.

        Returns:
            whether this one is the best so far.

        Raises:
            VidsimError: the metric that decides is not among those given.
        """
        if self._metric not in metrics:
            raise VidsimError(
                f"validation gave {', '.join(map(repr, metrics)) or 'no metric'}, but its "
                f"primary_metric is {self._metric!r}"
            )
        entry = {"folder": f"ckpt-{step}", "step": step, **metrics}
        self._save(self.run_dir / entry["folder"], entry)
        is_best = self._is_better(metrics[self._metric])
        self.best = entry if is_best else self.best
        self.last = entry
        return is_best

    def publish(self) -> None:
        """Updates the manifest, then removes what is neither best nor last.

        To be called when the run's saved state says the same: a run that goes on from an older
        state still finds the checkpoints of that.
        """
        if self.last is None:
            return
        best_and_last = {"best": self.best, "last": self.last}
        write_json(self.run_dir / MANIFEST, self.judged_by | best_and_last)
        kept = {entry["folder"] for entry in (self.best, self.last) if entry is not None}
        for folder in numbered_folders(self.run_dir, "ckpt"):
            if folder.name not in kept:
                shutil.rmtree(folder)

    def resume(
        self,
        best: dict[str, Any] | None,
        last: dict[str, Any] | None,
        judged_by: Mapping[str, Any] = JUDGED_BY_SPEARMAN,
    ) -> None:
        """Takes over what another process kept.

        Raises:
            VidsimError: its best checkpoint was chosen by another metric or sign.
        """
        if dict(judged_by) != self.judged_by:
            raise VidsimError(
                f"{self.run_dir}: the best checkpoint so far was chosen by {_words(judged_by)}, "
                f"and this run would choose by {_words(self.judged_by)}; start the run anew"
            )
        self.best, self.last = best, last
        self.publish()

    def _is_better(self, value: float) -> bool:
        if self.best is None:
            return not math.isnan(value)
        best = self.best[self._metric]
        return value > best if self._greater_is_better else value < best


def numbered_folders(parent: Path, name: str) -> list[Path]:
    """The folders whose whole name is ``<name>-<digits>``, the smallest number first."""
    pattern = re.compile(rf"{name}-([0-9]+)")
    folders = [path for path in parent.glob(f"{name}-*") if path.is_dir() and not path.is_symlink()]
    numbers = {path: int(match[1]) for path in folders if (match := pattern.fullmatch(path.name))}
    return sorted(numbers, key=numbers.__getitem__)


def best_checkpoint(run_dir: Path) -> Path:
    """The folder of a run's best checkpoint.

    Raises:
        VidsimError: the run has none.
    """
    path = run_dir / MANIFEST
    if not path.exists():
        raise VidsimError(f"{run_dir}: no finished checkpoint here ({MANIFEST} is missing)")
    best = json.loads(path.read_text(encoding="utf-8"))["best"]
    if best is None:
        raise VidsimError(
            f"{run_dir}: none of its checkpoints is the best: no validation gave a number"
        )
    return run_dir / best["folder"]


def find_checkpoint(folder: Path) -> Path:
    """The folder itself where it is a checkpoint, else the best one of the run whose folder it is.

    Raises:
        VidsimError: neither.
    """
    return folder if (folder / WEIGHTS).exists() else best_checkpoint(folder)


def _words(judged_by: Mapping[str, Any]) -> str:
    order = "greatest" if judged_by["greater_is_better"] else "smallest"
    return f"the {order} {judged_by['metric']}"
