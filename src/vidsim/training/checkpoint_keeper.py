"""Keeps a run's best and last checkpoint, and says which is which."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.training.checkpoint import WEIGHTS

MANIFEST = "checkpoints.json"


class CheckpointKeeper:
    """Two checkpoints of a run: the best by a metric and the last, one folder where they agree.

    Args:
        run_dir: the run's folder; checkpoints are ``ckpt-<step>`` in it.
        save: writes a checkpoint into the folder it is given, with the given metrics.
        metric: the key that decides; greater is better, NaN is never the best.
    """

    def __init__(
        self, run_dir: Path, save: Callable[[Path, dict[str, Any]], None], metric: str = "spearman"
    ):
        self.run_dir = run_dir
        self.best: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self._save = save
        self._metric = metric

    def keep(self, step: int, metrics: dict[str, float]) -> bool:
        """Writes ckpt-<step>; nothing knows of it before `publish`.

        Returns:
            whether this one is the best so far.
        """
        entry = {"folder": f"ckpt-{step}", "step": step, **metrics}
        self._save(self.run_dir / entry["folder"], entry)
        best = -math.inf if self.best is None else self.best[self._metric]
        is_best = metrics[self._metric] > best
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
        write_json(self.run_dir / MANIFEST, {"best": self.best, "last": self.last})
        kept = {entry["folder"] for entry in (self.best, self.last) if entry is not None}
        for folder in self.run_dir.glob("ckpt-*"):
            if folder.name not in kept:
                shutil.rmtree(folder)

    def resume(self, best: dict[str, Any] | None, last: dict[str, Any] | None) -> None:
        """Takes over what another process kept."""
        self.best, self.last = best, last
        self.publish()


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
