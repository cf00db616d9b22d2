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
        metric: the key that decides; greater is better, any number better than NaN.
    """

    def __init__(
        self, run_dir: Path, save: Callable[[Path, dict[str, Any]], None], metric: str = "spearman"
    ):
        self.run_dir = run_dir
        self.best: dict[str, Any] | None = None
        self._save = save
        self._metric = metric

    def keep(self, step: int, metrics: dict[str, float]) -> bool:
        """Writes ckpt-<step>, updates the manifest, removes what is neither best nor last.

        Returns:
            whether this one is the best so far.
        """
        entry = {"folder": f"ckpt-{step}", "step": step, **metrics}
        self._save(self.run_dir / entry["folder"], entry)
        is_best = self.best is None or self._rank(metrics) > self._rank(self.best)
        self.best = entry if is_best else self.best
        write_json(self.run_dir / MANIFEST, {"best": self.best, "last": entry})
        kept = {entry["folder"], (self.best or entry)["folder"]}
        for folder in self.run_dir.glob("ckpt-*"):
            if folder.name not in kept:
                shutil.rmtree(folder)
        return is_best

    def _rank(self, metrics: dict[str, Any]) -> float:
        value = metrics[self._metric]
        return -math.inf if math.isnan(value) else value


def best_checkpoint(run_dir: Path) -> Path:
    """The folder of a run's best checkpoint.

    Raises:
        VidsimError: the run has none.
    """
    path = run_dir / MANIFEST
    if not path.exists():
        raise VidsimError(f"{run_dir}: no finished checkpoint here ({MANIFEST} is missing)")
    return run_dir / json.loads(path.read_text(encoding="utf-8"))["best"]["folder"]


def find_checkpoint(folder: Path) -> Path:
    """The folder itself where it is a checkpoint, else the best one of the run whose folder it is.

    Raises:
        VidsimError: neither.
    """
    return folder if (folder / WEIGHTS).exists() else best_checkpoint(folder)
