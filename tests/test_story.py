"""Story: the sample's rows become a checked result.zip, twice the same, and only once done."""

import json
import shutil
import socket
import zipfile

import numpy as np
import pytest

from vidsim.blending.blend import blend
from vidsim.blending.fold_mean import fold_mean
from vidsim.blending.weights import resolve_weights
from vidsim.cli import main
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.preprocess import pipeline
from vidsim.preprocess.examples import Examples
from vidsim.records.sample import write_sample
from vidsim.records.video_table import load_videos
from vidsim.tasks.similarity.published import WEIGHTS
from vidsim.tasks.similarity.submission import write_submission
from vidsim.training.checkpoint import load_checkpoint
from vidsim.training.checkpoint_keeper import best_checkpoint

pytestmark = pytest.mark.slow

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
SHORTER = ("--total-steps", "2", "--eval-freq", "2", "--print-freq", "1")


def command(stage, data, save, *extra: str, recipes="mix,uniter_roformer", folds="0,1") -> int:
    """The exit status of one command."""
    common = ["--data-dir", str(data), "--save-dir", str(save), "--size", "tiny"]
    common += ["--recipes", recipes, "--folds", folds]
    return main([stage, *common, *extra])


def call(stage, data, save, *extra: str, **which: str) -> None:
    """One command, which ends well."""
    zip_file = ["--output-zip", str(save / "result.zip")]
    assert command(stage, data, save, *zip_file, *extra, **which) == 0


def files(folder):
    """Every file of a folder but locks, by name, with its content."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


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
            assert json.loads((run / "config.json").read_text())["identity"]["seed"] == 42
    report = json.loads((first / "ensemble" / "report.json").read_text())
    assert set(RECIPES) <= set(json.dumps(report).replace('"', " ").split())
    assert (first / "ensemble" / "report.png").stat().st_size > 10_000


def test_one_seed_gives_the_same_bytes_in_any_order(first, data, tmp_path, monkeypatch):
    """One pretraining alone, both recipes' second folds before the first, backwards, 5 workers."""
    again, alone = tmp_path / "again", "uniter_roformer"
    shutil.copytree(first, again)
    shutil.rmtree(again / "pretrain" / alone)
    (again / "result.zip").unlink()
    for recipe in RECIPES:
        shutil.rmtree(again / "finetune" / recipe / "fold1")
        for path in (again / "inference" / recipe).glob("fold1*"):
            path.unlink()
    monkeypatch.setattr(pipeline, "_WORKERS", 5)
    call("pretrain", data, again, *SHORT, recipes=alone)
    for stage, flags in (("finetune", SHORT), ("inference", ())):
        call(stage, data, again, *flags, recipes=",".join(reversed(RECIPES)), folds="1")
    call("ensemble", data, again)
    remade = sorted((again / "inference").rglob("fold1*.npz"))
    assert len(remade) == 4
    for path in remade:
        mine, other = np.load(path), np.load(first / path.relative_to(again))
        assert (mine["id"] == other["id"]).all()
        np.testing.assert_array_equal(mine["embedding"], other["embedding"])
    assert (first / "result.zip").read_bytes() == (again / "result.zip").read_bytes()


def test_nobody_asked_for_the_network(first, attempts):
    assert attempts == []


def test_done_steps_are_skipped_and_nothing_finished_is_touched(first, data, capsys):
    """By no flag that was forgotten, and by none that is refused; --redo or not."""
    before = files(first)
    for stage in ("pretrain", "finetune"):
        call(stage, data, first, *SHORT, "--devices", "2", "--val-batch-size", "7")
    call("inference", data, first)
    assert capsys.readouterr().out.count("done already") == 2 + 4 + 4
    for flags in (
        ("--kl-weight", "0.25"),
        ("--seed", "7"),
        ("--hidden-size", "128"),
        ("--dropout", "0.3"),
        ("--batch-size", "100000", "--redo"),
        ("--kl-weight", "0.25", "--redo", "--devices", "99"),
        ("--total-steps", "6", "--pretrain_model_dir", str(first / "nowhere"), "--redo"),
    ):
        assert command("finetune", data, first, *SHORT, *flags) == 1, flags
    said = capsys.readouterr().err
    assert "\n    kl_weight: 0.5 -> 0.25\nGive --run-name NAME" in said
    assert "\n    seed: 42 -> 7\n" in said
    assert command("finetune", data, first) == 1  # the published number of steps
    assert command("pretrain", data, first, *SHORT, "--size", "small") == 1
    assert files(first) == before


def test_a_named_run_lies_beside_the_unnamed_one(first, data, capsys):
    """It starts from the unnamed pretraining; inference and ensemble find it by its name."""
    before, which = files(first), {"recipes": "uniter_roformer", "folds": "0"}
    name = ("--run-name", "kl")
    call("pretrain", data, first, *SHORT, *name, **which)
    assert "pretrain uniter_roformer@kl: done already: " in capsys.readouterr().out
    assert command("finetune", data, first, *SHORTER, *name, "--kl-weight", "0.25", **which) == 0
    assert command("inference", data, first, *name, **which) == 0
    report = first / "ensemble@kl" / "report.json"
    zip_file = ("--output-zip", str(first / "kl.zip"), "--weights", "uniter_roformer=1")
    assert command("ensemble", data, first, *name, *zip_file, **which) == 0
    assert report.exists()
    after = files(first)
    assert before.items() <= after.items()
    new = {name.partition("/")[2].partition("/")[0] for name in after.keys() - before.keys()}
    assert new == {"", "uniter_roformer@kl", "config.json", "report.json", "report.png"}


def test_redo_moves_the_finished_run_aside(first, data, capsys):
    """Then its embeddings are those of another checkpoint, and are kept as well."""
    name, which = ("--run-name", "kl"), {"recipes": "uniter_roformer", "folds": "0"}
    folder = first / "finetune" / "uniter_roformer@kl" / "fold0"
    before = files(folder)
    assert command("finetune", data, first, *SHORTER, "--lr", "1e-3", "--redo", *name, **which) == 0
    assert files(folder.with_name("fold0.old-1")) == before
    assert (folder / "done.json").exists()
    embedded = first / "inference" / "uniter_roformer@kl"
    before = files(embedded)
    capsys.readouterr()
    assert command("inference", data, first, *name, **which) == 1
    assert "checkpoint: " in capsys.readouterr().err
    assert files(embedded) == before
    assert command("inference", data, first, "--redo", *name, **which) == 0
    old = files(embedded / "fold0.old-1")
    assert old == {name: before[name] for name in ("fold0.npz", "fold0_val.npz", "fold0.json")}
    assert files(embedded)["fold0.npz"] != before["fold0.npz"]


def test_other_test_videos_have_a_place_of_their_own(first, data):
    before, which = files(first), {"recipes": "uniter_roformer", "folds": "0"}
    other = ("--test-b-file", str(data / "test_a" / "test_a.tfrecords"))
    assert command("inference", data, first, *other, **which) == 0
    assert command("inference", data, first, *other, "--out", "mine", **which) == 0
    after = files(first)
    assert before.items() <= after.items()
    made = [name for name in after.keys() - before.keys() if name.endswith(".npz")]
    run = "inference/uniter_roformer"
    assert sorted(made) == [f"{run}/mine/fold0.npz", f"{run}/test_a/fold0.npz"]


def test_the_submission_is_what_a_computation_without_stages_gives(first, data, tmp_path):
    """Parity: each checkpoint's embeddings by its model, then means and blend: same bytes."""
    assert direct_submission(data, first, tmp_path / "direct.zip", RECIPES) == (
        (first / "result.zip").read_bytes()
    )


def direct_submission(data, save, path, recipes) -> bytes:
    table = load_videos(data / "test_b" / "test_b.tfrecords")
    means = []
    for recipe in recipes:
        members = []
        for fold in (0, 1):
            run = save / "finetune" / recipe / f"fold{fold}"
            found = load_checkpoint(best_checkpoint(run))
            examples = Examples(table, found.tokenizer, found.tags, found.backbone.config)
            dataset = pipeline.embedding_dataset(examples, np.arange(len(table)), 128)
            with np.load(save / "inference" / recipe / f"fold{fold}.npz") as member:
                members.append(member["embedding"])
            direct = EmbeddingModel(found.backbone).embed(dataset)
            np.testing.assert_allclose(direct, members[-1], rtol=1e-3, atol=1e-5)
        means.append(fold_mean(members))
    weights, _ = resolve_weights(recipes, None, WEIGHTS)
    ids = [video.decode() for video in table.ids.tolist()]
    write_submission(path, ids, blend(means, list(weights.values()), "svd"))
    return path.read_bytes()
