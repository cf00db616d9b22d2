"""Story: the sample's rows become a checked result.zip, twice the same, and only once done."""

import json
import socket
import zipfile

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.preprocess import pipeline
from vidsim.records.sample import write_sample

RECIPES = ("mix", "uniter_roformer")


@pytest.fixture(scope="module", autouse=True)
def attempts():
    """Everything here runs with the network cut off; whom it asked for all the same."""
    asked = []

    def refuse(*arguments, **_):
        asked.append(arguments)
        raise OSError("no network in this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield asked


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The sample data set with its folds written."""
    folder = tmp_path_factory.mktemp("story") / "sample"
    write_sample(folder)
    assert main(["write_tfrecord", "--data-dir", str(folder)]) == 0
    return folder


SHORT = ("--total-steps", "6", "--eval-freq", "3", "--print-freq", "2")


def call(stage, data, save, *extra: str, recipes="mix,uniter_roformer", folds="0,1") -> None:
    """One door."""
    common = ["--data-dir", str(data), "--save-dir", str(save), "--size", "tiny"]
    common += ["--recipes", recipes, "--folds", folds]
    common += ["--output-zip", str(save / "result.zip")]
    assert main([stage, *common, *extra]) == 0


def run_all(data, save, *extra: str) -> None:
    """Every stage after the folds, a few steps of it, on two recipes and two folds."""
    call("pretrain", data, save, *SHORT)
    call("finetune", data, save, *SHORT, *extra)
    call("inference", data, save)
    call("ensemble", data, save)


@pytest.fixture(scope="module")
def first(data, tmp_path_factory):
    """A finished run."""
    save = tmp_path_factory.mktemp("first")
    run_all(data, save)
    return save


def test_the_submission_holds_every_test_video_once(first):
    with zipfile.ZipFile(first / "result.zip") as archive:
        assert archive.namelist() == ["result.json"]
        result = json.loads(archive.read("result.json"))
    assert len(result) == 100
    vectors = np.array(list(result.values()))
    assert vectors.ndim == 2
    assert vectors.shape[1] <= 256
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1).min() > 0


def test_every_run_keeps_what_it_takes_to_use_it_again(first):
    for recipe in RECIPES:
        for run in (first / "pretrain" / recipe, first / "finetune" / recipe / "fold1"):
            metrics = json.loads((run / "metrics.json").read_text())
            assert -1 <= metrics["spearman"] <= 1
            assert [entry["step"] for entry in metrics["history"] if "loss" in entry] == [2, 4, 6]
            validated = [e["step"] for e in metrics["history"] if "val_spearman" in e]
            assert validated == [3, 6]
            best = run / json.loads((run / "checkpoints.json").read_text())["best"]["folder"]
            assert {path.name for path in best.iterdir()} == {
                "config.json",
                "model.safetensors",
                "tag_list.txt",
                "tokenizer.json",
                "tokenizer_config.json",
            }
            assert list((run / "logs").glob("events.out.*"))
            assert json.loads((run / "config.json").read_text())["seed"] == 42
    report = json.loads((first / "ensemble" / "report.json").read_text())
    assert set(RECIPES) <= set(json.dumps(report).replace('"', " ").split())
    assert (first / "ensemble" / "report.png").stat().st_size > 10_000


def test_one_seed_gives_the_same_bytes_in_any_order(first, data, tmp_path, monkeypatch):
    """Recipes and folds one by one and backwards, batches by five workers instead of two."""
    monkeypatch.setattr(pipeline, "_WORKERS", 5)
    for recipe in reversed(RECIPES):
        call("pretrain", data, tmp_path, *SHORT, recipes=recipe)
    for fold in ("1", "0"):
        for recipe in RECIPES:
            call("finetune", data, tmp_path, *SHORT, recipes=recipe, folds=fold)
            call("inference", data, tmp_path, recipes=recipe, folds=fold)
    call("ensemble", data, tmp_path)
    compared = 0
    for path in sorted((first / "inference").rglob("*.npz")):
        mine, other = np.load(path), np.load(tmp_path / path.relative_to(first))
        assert (mine["id"] == other["id"]).all()
        np.testing.assert_array_equal(mine["embedding"], other["embedding"])
        compared += 1
    assert compared == 8
    assert (first / "result.zip").read_bytes() == (tmp_path / "result.zip").read_bytes()


def test_nobody_asked_for_the_network(first, attempts):
    assert attempts == []


def test_done_steps_are_skipped_and_changed_ones_redone(first, data, capsys):
    before = (first / "finetune/mix/fold0/done.json").stat().st_mtime_ns
    run_all(data, first)
    out = capsys.readouterr().out
    assert out.count("done already") == 2 + 4 + 4
    assert (first / "finetune/mix/fold0/done.json").stat().st_mtime_ns == before
    run_all(data, first, "--kl-weight", "0.25")
    out = capsys.readouterr().out
    assert "finetune mix fold 0: redone, its configuration changed: kl_weight: 0.5 -> 0.25" in out
    assert out.count("done already") == 2  # pretraining stays
