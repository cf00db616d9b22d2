"""Killed at every point where something becomes visible on disk, a run ends as if it had not been.

A process that dies leaves the disk as it is: here every rename and removal, cleaning up included,
fails from the chosen one on. Then the same command comes again. Real kills of real processes, at
random: tests/soak/kill.py.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from vidsim.config import Common
from vidsim.files import file_digest
from vidsim.recipes import mix
from vidsim.recipes.sizes import at_size
from vidsim.records.pairs import Pairs
from vidsim.stages.finetune import Finetuning
from vidsim.stages.pair_source import FoldPairs

STEPS = 3


class KilledError(BaseException):
    """The process is gone; not an Exception, so that no code takes it for an error of its own."""


class Disk:
    """Counts renames and removals of folders, and lets no more than `life` of them happen."""

    def __init__(self, monkeypatch):
        self.life = None
        self.done = []
        for module, name in ((os, "replace"), (shutil, "rmtree")):
            monkeypatch.setattr(module, name, self._counted(name, getattr(module, name)))

    def _counted(self, name, operation):
        def run(path, *rest, **named):
            if self.life is not None and len(self.done) >= self.life:
                raise KilledError
            self.done.append(f"{name} {path}")
            return operation(path, *rest, **named)

        return run


@pytest.fixture(scope="module")
def finetuning(videos, tmp_path_factory):
    """One small recipe, its graph made once, and a fold of made pairs."""
    folder = tmp_path_factory.mktemp("tags")
    (folder / "tag_list.txt").write_text("10\n20\n30\n40\n")
    changes = {"batch_size": 4, "total_steps": STEPS, "epochs": 9, "eval_freq": 2, "print_freq": 2}
    changes |= {"save_seconds": 0, "pretrain_model_dir": "none", "word_dropout": 0.2}
    recipe = at_size(mix.recipe(), "tiny").but(finetune=changes, model={"encoder_width": 16})
    rng = np.random.default_rng(0)
    ids = videos.ids[rng.permutation(40)]
    train = Pairs(ids[:12], ids[12:24], rng.random(12).astype("float32"))
    val = Pairs(ids[24:30], ids[30:36], rng.random(6).astype("float32"))

    class Source:
        fewest = len(train)

    data = FoldPairs(0, train, videos, val, videos)
    stage = Finetuning(Common(data_dir=folder, save_dir=folder), recipe, Source())
    return lambda run_dir: stage.run_fold(data, run_dir)


def outcome(run_dir: Path) -> dict:
    """Everything that must be the same: checkpoints to the last bit, history but for the clock."""
    metrics = json.loads((run_dir / "metrics.json").read_text())
    history = [
        {k: v for k, v in entry.items() if k not in ("examples_per_s", "seconds_left")}
        for entry in metrics["history"]
    ]
    files = sorted(path.relative_to(run_dir) for path in run_dir.rglob("*") if path.is_file())
    kept = [path for path in files if path.parts[0] != "logs" and path.name != "metrics.json"]
    digests = {str(path): file_digest(run_dir / path) for path in kept}
    return {"history": history, "best": metrics["spearman"], "files": digests}


def test_killed_anywhere(finetuning, tmp_path, monkeypatch, capsys):
    disk = Disk(monkeypatch)
    finetuning(tmp_path / "whole")
    whole, operations = outcome(tmp_path / "whole"), list(disk.done)
    assert len([name for name in whole["files"] if name.endswith("model.safetensors")]) in (1, 2)
    assert {operation.split()[0] for operation in operations} == {"replace", "rmtree"}
    capsys.readouterr()
    resumed = []
    for life in range(len(operations)):
        run_dir = tmp_path / f"killed_{life}"
        disk.done, disk.life = [], life
        with pytest.raises(KilledError):
            finetuning(run_dir)
        disk.life = None
        finetuning(run_dir)
        said = capsys.readouterr().out
        resumed += [int(line.split()[-1]) for line in said.splitlines() if "goes on after" in line]
        assert outcome(run_dir) == whole, f"killed at {operations[life]}"
        assert not [path for path in run_dir.rglob("*") if path.name.startswith((".", "state-"))]
    assert set(resumed) == set(range(1, STEPS + 1))
