"""Story: a task from outside the package goes through every command; nothing in vidsim names it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.records.sample import write_sample
from vidsim.tasks.registry import TASKS

pytestmark = pytest.mark.slow

TOY = Path(__file__).with_name("toy_task.py")
RECIPE = """
import sys
sys.path.append({folder!r})
from toy_task import Toy
from vidsim.recipes import mix
from vidsim.tasks.registry import TASKS

TASKS["toy"] = Toy()


def recipe():
    return mix.recipe().but(tasks={{"toy": {{"eval_freq": 3, "word_dropout": 0.1}}}})
"""

FLAGS = ["--pretrain-model-dir", "none", "--total-steps", "9", "--number-weight", "0.5"]
FLAGS += ["--lr", "0.02", "--bert-lr", "0.02", "--warmup-steps", "1", "--bert-warmup-steps", "1"]


def test_a_task_from_outside(tmp_path, monkeypatch, capsys):
    """Flags, folds, a head in the checkpoint, predictions of two arrays, a blend."""
    monkeypatch.setattr("sys.path", list(sys.path))
    for name in list(TASKS):
        monkeypatch.setitem(TASKS, name, TASKS[name])
    own, data, save = tmp_path / "mine.py", tmp_path / "data", tmp_path / "save"
    own.write_text(RECIPE.format(folder=str(TOY.parent)))
    write_sample(data)
    common = ["--data-dir", str(data), "--save-dir", str(save), "--recipes", str(own)]
    common += ["--folds", "0", "--size", "tiny"]
    task = ["--task", "toy"]
    try:
        assert main(["plan", *common, "--task", "toi"]) == 1
        assert "--task toi: accepted are similarity, " in capsys.readouterr().err
        assert main(["write_tfrecord", *common, *task]) == 0
        assert (data / "folds" / "toy" / "fold1" / "val.json").exists()
        assert main(["finetune", *common, *task, *FLAGS]) == 0
        assert main(["finetune", *common, *task, *FLAGS]) == 0
        assert "finetune mine fold 0: done already" in capsys.readouterr().out
        assert main(["finetune", *common, "--number-weight", "1"]) == 2  # no flag of similarity
        assert main(["inference", *common, *task]) == 0
        assert main(["ensemble", *common, *task]) == 0
    finally:
        TASKS.pop("toy", None)
    check_run(save / "toy")
    check_predictions(data, save / "toy")
    assert not (save / "finetune").exists() and not (save / "inference").exists()


def check_run(folder):
    run = folder / "finetune" / "mine" / "fold0"
    metrics = json.loads((run / "metrics.json").read_text())
    validated = [entry["step"] for entry in metrics["history"] if "val_squared_error" in entry]
    assert validated == [3, 6, 9]  # as the recipe file says
    assert metrics["data"]["baseline"]["squared_error"] > 0
    identity = json.loads((run / "config.json").read_text())["identity"]
    assert identity["task"] == "toy"
    finetune = json.dumps(identity["finetune"])
    assert '"number_weight": 0.5' in finetune  # of the flag
    assert '"batch_size": 32' in finetune  # of the size, not the task's 16
    assert '"word_dropout": 0.1' in finetune  # of the recipe file


def check_predictions(data, folder):
    """Saved predictions err as much as validation did: the head was saved and loaded."""
    metrics = json.loads((folder / "finetune" / "mine" / "fold0" / "metrics.json").read_text())
    with np.load(folder / "inference" / "mine" / "fold0_val.npz") as found:
        assert found["twice"].shape == (40, 2)
        result = json.loads((folder / "ensemble" / "numbers.json").read_text())
        assert result == dict(zip(found["id"].tolist(), found["number"].tolist(), strict=True))
        error = float(np.square(found["number"] - lengths(data, found["id"])).mean())
    assert error == pytest.approx(metrics["squared_error"], rel=1e-4)


def lengths(data, ids):
    from vidsim.records.video_table import load_videos

    table = load_videos(data / "pairwise" / "pairwise.tfrecords")
    return table.n_frames[table.rows_of(ids.tolist())] / 8
