"""Story: two families learn classes of words and frames, from folds to result.csv."""

import csv
import json
import signal

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file

from vidsim.cli import main
from vidsim.metrics.classification import f1_scores
from vidsim.training.training_log import TrainingLog

pytestmark = [pytest.mark.slow, pytest.mark.traced]
LAST = ["--lr", "0.01", "--bert-lr", "0.01", "--total-steps", "60", "--epochs", "60"]
MIX = ["--branches", "2", "--class-hidden", "32", "--class-skip"]
UNITER = ["--class-hidden", "32", "--class-heads", "2", "--mixup", "0.2"]


@pytest.fixture(scope="module")
def story(tmp_path_factory, write_data):
    root = tmp_path_factory.mktemp("classification")
    data, save = write_data(root / "data"), root / "save"
    common = ["--task", "classification", "--data-dir", str(data), "--save-dir", str(save)]
    recipes = ["--recipes", "mix,uniter"]
    folds = ["write_tfrecord", *common, "--num-folds", "2"]
    flags = ["--size", "tiny", "--pretrain-model-dir", "none", "--batch-size", "16", *LAST]
    assert main(folds) == 0
    assert main(["finetune", *common, "--recipes", "mix", *MIX, *flags]) == 0
    assert main(["finetune", *common, "--recipes", "uniter", *UNITER, *flags]) == 0
    assert main(["inference", *common, *recipes]) == 0
    assert main(["ensemble", *common, *recipes]) == 0
    return root, common, flags


def probabilities(save, recipe, fold, part=""):
    path = save / "classification" / "inference" / recipe / f"fold{fold}{part}.npz"
    with np.load(path) as found:
        assert found["classes"].tolist() == [10, 11, 20, 21, 30]
        return found["id"].tolist(), found["probabilities"].astype("float64")


def test_the_result_is_what_a_computation_without_stages_gives(story):
    """Mean over folds and recipes, the greatest; and the marks, by hand from the files."""
    save = story[0] / "save"
    ensemble = save / "classification" / "ensemble"
    with (ensemble / "result.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    members = [probabilities(save, r, f) for r in ("mix", "uniter") for f in (0, 1)]
    mean = np.mean([values for _, values in members], axis=0)
    classes = np.array([10, 11, 20, 21, 30])
    assert [name for name, _ in rows] == members[0][0] == [f"t{n}" for n in range(100, 112)]
    assert [int(category) for _, category in rows] == classes[mean.argmax(axis=1)].tolist()

    report = json.loads((ensemble / "report.json").read_text())
    truth = np.array([number % 4 for number in range(100, 112)])
    test = report["marks"]["ensemble"]["test"]
    assert test["accuracy"] == np.mean(mean.argmax(axis=1) == truth)
    both = [*f1_scores(truth, mean.argmax(axis=1))]
    both += f1_scores(truth // 2, np.array([0, 0, 1, 1, 1])[mean.argmax(axis=1)])
    assert test["mean_f1"] == pytest.approx(np.mean(both))  # of two levels
    right = []
    for fold in (0, 1):
        parts = [probabilities(save, r, fold, "_val") for r in ("mix", "uniter")]
        assert parts[0][0] == parts[1][0] and len(parts[0][0]) == 32
        blended = (parts[0][1] + parts[1][1]).argmax(axis=1)
        own = np.array([int(name[1:]) % 4 for name in parts[0][0]])
        right.append(np.mean(blended == own))
        assert report["marks"]["ensemble"]["folds"][str(fold)]["accuracy"] == right[-1]
        metrics = json.loads(
            (
                save / "classification" / "finetune" / "mix" / f"fold{fold}" / "metrics.json"
            ).read_text()
        )
        alone = report["marks"]["mix"]["folds"][str(fold)]
        assert alone["mean_f1"] == pytest.approx(metrics["mean_f1"])  # as while training
        assert metrics["primary_metric"] == "mean_f1"
        assert metrics["data"]["without_category"] == 2
        assert metrics["data"]["baseline"]["accuracy"] == 0.25
    assert report["marks"]["ensemble"]["out_of_fold"]["accuracy"] == np.mean(right)
    assert np.mean(right) > 0.6  # 0.5 is as far as words or frames alone lead


def test_again_and_after_an_interruption_the_same_bytes(story, capsys, monkeypatch):
    root, common, flags = story
    save, other = root / "save", root / "other"
    before = (save / "classification" / "ensemble" / "result.csv").read_bytes()
    assert main(["ensemble", *common, "--recipes", "mix,uniter"]) == 0
    assert (save / "classification" / "ensemble" / "result.csv").read_bytes() == before
    main(["check", "--data-dir", str(root / "data")])  # of similarity a label.tsv is missing
    said = capsys.readouterr().out
    assert "5 categories" in said.replace("\n", " ") and "val.txt" in said

    common = [*common[:-1], str(other), "--recipes", "uniter", "--folds", "1"]
    report, done_steps = TrainingLog.report, []

    def signalled(log, done, values):
        if "loss" in values and not done_steps:
            done_steps.append(done)
            signal.raise_signal(signal.SIGTERM)
        report(log, done, values)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLog, "report", signalled)
        assert main(["finetune", *common, *UNITER, *flags]) == 130
    keras.utils.clear_session(free_memory=True)  # the next command has a process of its own
    assert main(["finetune", *common, *UNITER, *flags]) == 0
    assert f"goes on after step {done_steps[0]}" in capsys.readouterr().out
    assert main(["inference", *common]) == 0
    for part in ("fold1.npz", "fold1_val.npz"):
        one, two = (d / "classification" / "inference" / "uniter" / part for d in (save, other))
        assert one.read_bytes() == two.read_bytes()


def test_heads_are_as_many_as_asked_for(story):
    """By the shapes in the files: two of two layers, and of one layer two by --class-heads 2."""
    root, common, flags = story
    stored = root / "save" / "classification" / "finetune" / "uniter" / "fold0"
    path = next(stored.glob("*/head.safetensors"))
    assert sorted(x.shape for x in load_file(path).values() if x.shape[-1:] == (5,)) == [
        (5,),
        (5,),
        (32, 5),
        (32, 5),
    ]
    linear = [*common[:-1], str(root / "linear"), "--recipes", "mix", "--folds", "0"]
    short = ["--class-heads", "2", "--total-steps", "1", "--epochs", "1", "--branches", "2"]
    assert main(["finetune", *linear, *flags, *short]) == 0
    path = next((root / "linear").rglob("head.safetensors"))
    assert len(load_file(path)) == 4


def test_weights_that_are_fitted(story, capsys):
    """Each vote is one of the two recipes'; the report says what they score."""
    root, common, _ = story
    report = root / "save" / "classification" / "ensemble" / "report.json"
    flags = ["--recipes", "mix,uniter"]
    assert main(["ensemble", *common, *flags, "--weights", "fit"]) == 0
    fitted = json.loads(report.read_text())
    assert sum(fitted["weights"].values()) == pytest.approx(1)
    assert "each fold by weights fitted to the others" in fitted["notes"][0]
    best = fitted["marks"]["ensemble"]["out_of_fold"]["mean_f1"]
    assert f"mean_f1 {best:.4f}, equal" in " ".join(capsys.readouterr().out.split())
    assert main(["ensemble", *common, *flags]) == 0
    equal = json.loads(report.read_text())
    assert best >= equal["marks"]["ensemble"]["out_of_fold"]["mean_f1"]
    assert equal["weights"] == {"mix": 0.5, "uniter": 0.5}


def test_an_earlier_result_is_kept_and_a_foreign_file_not_replaced(story, capsys, tmp_path):
    root, common, _ = story
    ensemble = root / "save" / "classification" / "ensemble"
    path, report = ensemble / "result.csv", ensemble / "report.json"
    ours = path.read_bytes()
    path.write_text("t100,21\n")
    kept, picture = report.read_bytes(), (ensemble / "confusion.png").read_bytes()
    assert main(["ensemble", *common, "--recipes", "mix,uniter"]) == 0
    assert path.read_bytes() == ours
    [moved] = ensemble.glob("result.old-*.csv")
    mark = moved.suffixes[0]  # the first number that no file of the report has
    assert moved.read_text() == "t100,21\n"
    assert (ensemble / f"report{mark}.json").read_bytes() == kept
    assert (ensemble / f"confusion{mark}.png").read_bytes() == picture
    assert (ensemble / "confusion.png").read_bytes() == picture  # of the same videos and models
    foreign = tmp_path / "notes.txt"
    foreign.write_text("dear diary\n")
    assert main(["ensemble", *common, "--recipes", "mix", "--output-zip", str(foreign)]) == 1
    assert foreign.read_text() == "dear diary\n"
    assert "is no result" in capsys.readouterr().err
