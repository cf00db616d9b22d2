"""Killed at every point where something becomes visible on disk, a run ends as if it had not been.

A process that dies leaves the disk as it is: here every rename and removal, cleaning up included,
fails from the chosen one on. Then the same command comes again. Real kills of real processes, at
random: tests/soak/kill.py.
"""

import json
import os
import re
import shutil
import signal

import pytest

from vidsim.config import Common
from vidsim.errors import Interrupted, VidsimError
from vidsim.files import write_json
from vidsim.recipes import mix
from vidsim.stages.run_folders import best_of_finished, pretrained_checkpoint
from vidsim.training.training_log import TrainingLog

SAVED = re.compile(r"^replace .*/\.state-(\d+)\.\w+\.tmp$", re.MULTILINE)


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


@pytest.mark.slow
def test_killed_anywhere(finetuning, outcome, tmp_path, monkeypatch, capsys):
    disk = Disk(monkeypatch)
    finetuning(tmp_path / "whole")
    whole, operations = outcome(tmp_path / "whole"), list(disk.done)
    assert len([name for name in whole["files"] if name.endswith("model.safetensors")]) in (1, 2)
    assert {operation.split()[0] for operation in operations} == {"replace", "rmtree"}
    capsys.readouterr()
    resumed = set()
    for life in range(len(operations)):
        run_dir = tmp_path / f"killed_{life}"
        disk.done, disk.life = [], life
        with pytest.raises(KilledError):
            finetuning(run_dir)
        disk.life = None
        finetuning(run_dir)
        said, saved = capsys.readouterr().out, SAVED.findall("\n".join(operations[:life]))
        if saved and "done already" not in said:  # whatever was saved once is never lost
            assert f"goes on after step {saved[-1]}\n" in said, f"killed at {operations[life]}"
            resumed.add(saved[-1])
        assert outcome(run_dir) == whole, f"killed at {operations[life]}"
        assert not [path for path in run_dir.rglob("*") if path.name.startswith((".", "state-"))]
    assert resumed == {"1", "2", "3"}


def test_unfinished_runs_are_not_taken_for_done(tmp_path):
    """Neither a pretraining by finetuning nor a finetuning by inference, whatever they have."""
    folder = tmp_path / "pretrain" / "mix"
    (folder / "ckpt-5").mkdir(parents=True)
    write_json(folder / "checkpoints.json", {"best": {"folder": "ckpt-5"}})
    common, recipe = Common(save_dir=tmp_path), mix.recipe()
    with pytest.raises(VidsimError, match=rf"interrupted or goes on; .*{folder / 'ckpt-5'}"):
        pretrained_checkpoint(common, recipe)
    with pytest.raises(VidsimError, match=rf"interrupted or goes on; .*{folder / 'ckpt-5'}"):
        best_of_finished(folder)
    named = recipe.but(finetune={"pretrain_model_dir": str(folder)})
    assert pretrained_checkpoint(common, named) == folder / "ckpt-5"
    write_json(folder / "done.json", {})
    assert pretrained_checkpoint(common, recipe) == best_of_finished(folder) == folder / "ckpt-5"


def test_stopped_by_a_signal_and_going_on(finetuning, outcome, tmp_path, monkeypatch, capsys):
    """SIGTERM in the middle of the second update, then the same command: as undisturbed."""
    finetuning(tmp_path / "whole")
    report = TrainingLog.report

    def signalled(log, done, values):
        if "loss" in values:  # once: the second one would end the process
            signal.raise_signal(signal.SIGTERM)
        report(log, done, values)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLog, "report", signalled)
        with pytest.raises(Interrupted, match="stopped after step 2 of 3 and saved its state"):
            finetuning(tmp_path / "stopped")
    capsys.readouterr()
    finetuning(tmp_path / "stopped")
    assert "goes on after step 2\n" in capsys.readouterr().out
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")
    metrics = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    assert (metrics["primary_metric"], metrics["greater_is_better"]) == ("spearman", True)
    assert {"lr", "bert_lr", "gradient_norm"} <= metrics["history"][0].keys()
