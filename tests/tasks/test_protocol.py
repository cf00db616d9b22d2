"""Story: a task from outside the package goes through every command; nothing in vidsim names it."""

import json
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


def test_a_task_from_outside(tmp_path, monkeypatch, capsys):
    """Flags, folds, a head in the checkpoint, predictions of two arrays, a blend.

    The toy task learns a number from the embedding. Its validation error in metrics.json, the one
    of the saved predictions and the one of `ensemble` must agree: so the head that was trained is
    the head that was saved and loaded.
    """
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    for name in list(TASKS):
        monkeypatch.setitem(TASKS, name, TASKS[name])
    own, data, save = tmp_path / "mine.py", tmp_path / "data", tmp_path / "save"
    own.write_text(RECIPE.format(folder=str(TOY.parent)))
    write_sample(data)
    (data / "tag_list.txt").rename(data / "tags")
    common = ["--data-dir", str(data), "--save-dir", str(save), "--recipes", str(own)]
    common += ["--folds", "0", "--size", "tiny"]
    task = ["--task", "toy"]

    assert main(["plan", *common, "--task", "toi"]) == 1
    assert "--task toi: accepted are similarity, toy" in capsys.readouterr().err
    assert main(["write_tfrecord", *common, *task]) == 0
    assert (data / "folds" / "toy" / "fold1" / "val.json").exists()
    flags = ["--pretrain-model-dir", "none", "--total-steps", "9", "--number-weight", "0.5"]
    flags += [
        "--lr",
        "0.02",
        "--bert-lr",
        "0.02",
        "--warmup-steps",
        "1",
        "--bert-warmup-steps",
        "1",
    ]
    assert main(["finetune", *common, *task, *flags]) == 0
    assert main(["finetune", *common, *task, *flags]) == 0
    assert "finetune mine fold 0: done already" in capsys.readouterr().out
    assert main(["finetune", *common, "--number-weight", "1"]) == 2  # no flag of similarity
    assert main(["inference", *common, *task]) == 0
    assert main(["ensemble", *common, *task]) == 0

    run = save / "toy" / "finetune" / "mine" / "fold0"
    metrics = json.loads((run / "metrics.json").read_text())
    validated = [entry["step"] for entry in metrics["history"] if "val_squared_error" in entry]
    assert validated == [3, 6, 9]  # as the recipe file says
    identity = json.loads((run / "config.json").read_text())["identity"]
    assert identity["task"] == "toy"
    finetune = json.dumps(identity["finetune"])
    assert '"number_weight": 0.5' in finetune  # of the flag
    assert '"batch_size": 32' in finetune  # of the size, not the task's 16
    assert '"word_dropout": 0.1' in finetune  # of the recipe file

    with np.load(save / "toy" / "inference" / "mine" / "fold0_val.npz") as found:
        assert found["twice"].shape == (40, 2)
        result = json.loads((save / "toy" / "ensemble" / "numbers.json").read_text())
        assert result == dict(zip(found["id"].tolist(), found["number"].tolist(), strict=True))
        wanted = lengths(data, found["id"])
        error = float(np.square(found["number"] - wanted).mean())
    assert error == pytest.approx(metrics["squared_error"], rel=1e-4)
    assert metrics["squared_error"] < metrics["history"][0].get("val_squared_error", np.inf)
    assert not (save / "finetune").exists() and not (save / "inference").exists()


def lengths(data, ids):
    from vidsim.records.video_table import load_videos

    table = load_videos(data / "pairwise" / "pairwise.tfrecords")
    return table.n_frames[table.rows_of(ids.tolist())] / 8
