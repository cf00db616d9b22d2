"""Modes of retrieval with a match head: what is scored, by what, and how scores are blended."""

import json

import numpy as np
import pytest
from scipy.special import expit

from vidsim.cli import main
from vidsim.metrics.retrieval import RetrievalEvaluator
from vidsim.records.video import Video
from vidsim.records.writer import write_videos
from vidsim.tasks.retrieval import task as retrieval
from vidsim.tasks.retrieval.cosine_weight import TRIED
from vidsim.tasks.retrieval.match_blend import match_matrix
from vidsim.tasks.retrieval.match_job import PLACES, SCORES, MatchJob, place_name
from vidsim.tasks.retrieval.scoring import nearest

SHORT = (
    *("--size", "tiny", "--total-steps", "1", "--eval-freq", "1", "--batch-size", "8"),
    *("--pretrain-model-dir", "none", "--warmup-steps", "0", "--bert-warmup-steps", "0"),
)
K = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """16 videos of 8 numbers a frame, one sentence each, in two folds."""
    folder = tmp_path_factory.mktemp("match") / "data"
    rng = np.random.default_rng(0)
    made = [
        Video(f"v{n}", "unread", rng.normal(size=(1 + n % 3, 8)).astype("float16"))
        for n in range(16)
    ]
    write_videos(folder / "pointwise" / "a.tfrecords", made)
    (folder / "retrieval").mkdir()
    lines = "".join(f"v{n}\ta thing of kind {n}\n" for n in range(16))
    (folder / "retrieval" / "captions.tsv").write_text(lines)
    flags = ["--task", "retrieval", "--data-dir", str(folder), "--num-folds", "2"]
    assert main(["write_tfrecord", *flags]) == 0
    return folder


def command(stage, data, save, *extra, recipes="albef,uniter"):
    common = ["--task", "retrieval", "--data-dir", str(data), "--save-dir", str(save)]
    return main([stage, *common, "--recipes", recipes, "--folds", "0", *extra])


def arrays(folder, name):
    with np.load(folder / name) as file:
        return {key: file[key] for key in file}


@pytest.mark.slow
def test_the_match_head_sorts_what_the_embeddings_found(data, tmp_path, monkeypatch, capsys):
    """Two families. Two-stage scores the nearest by cosine, both ways, with the numbers that joint
    has for every pair; a killed inference goes on to the same bytes; retrieval.json has the marks
    of the mean of the probabilities."""
    monkeypatch.setattr(MatchJob, "shard", 3)
    for recipe in ("albef", "uniter"):
        assert (
            command("finetune", data, tmp_path, *SHORT, "--match-weight", "1", recipes=recipe) == 0
        )
    capsys.readouterr()
    two_stage = ("--mode", "two-stage", "--k-test", str(K))
    assert command("inference", data, tmp_path, *two_stage) == 0
    assert "two-stage scores 8 x 3 and 8 x 3, in all 48 pairs" in capsys.readouterr().out
    assert command("inference", data, tmp_path, "--mode", "joint") == 0
    forth, back = check_scores(tmp_path / "retrieval" / "inference")
    alone = (*two_stage, "--cosine-weight", "0")
    assert command("ensemble", data, tmp_path, *alone) == 0
    result = json.loads((tmp_path / "retrieval" / "ensemble" / "retrieval.json").read_text())
    assert result["mode"] == "two-stage"
    blended = []
    for of_side in (forth, back):
        mean = (expit(of_side[0]) + expit(of_side[1])) / 2
        blended.append(np.where(np.isfinite(of_side[0]) | np.isfinite(of_side[1]), mean, -np.inf))
    own = RetrievalEvaluator(np.arange(8), 8).report_of_scores(*blended, hidden=True).metrics
    report = result["validation"]["0"]["ensemble"]
    assert report["metrics"] == pytest.approx(own)
    assert "of each search's 3 best by cosine" in report["protocol"]
    assert "the cosine added" not in report["protocol"]
    check_fitted(data, tmp_path, two_stage)
    check_resumed(data, tmp_path, two_stage, monkeypatch)
    assert command("ensemble", data, tmp_path, "--mode", "joint") == 0
    folder = tmp_path / "retrieval" / "ensemble"
    earlier = [json.loads((folder / f"retrieval.old-{n}.json").read_text()) for n in (1, 2)]
    assert earlier[0] == result and earlier[1]["mode"] == "two-stage"
    assert json.loads((folder / "retrieval.json").read_text())["mode"] == "joint"
    kept = sorted(path.name for path in folder.glob("retrieval.old-*.json"))
    assert command("ensemble", data, tmp_path, "--mode", "joint") == 0
    assert sorted(path.name for path in folder.glob("retrieval.old-*.json")) == kept


def check_scores(root):
    """Two-stage's matrices of both recipes and directions, whose cells are joint's."""
    forth, back = [], []
    for recipe in ("albef", "uniter"):
        folder, whole = root / recipe / f"two-stage-{K}", root / recipe / "joint"
        joint = arrays(whole, "fold0_val_texts_match.npz")
        assert not (whole / "fold0_val_match.npz").exists()
        scores = match_matrix(joint[PLACES], joint[SCORES], 8)
        assert np.isfinite(scores).all() and scores.std() > 1e-4
        texts, videos = (
            arrays(folder, f"fold0_val{side}.npz")["embedding"] for side in ("_texts", "")
        )
        for own, other, name, expected, kept in (
            (texts, videos, "fold0_val_texts_match.npz", scores, forth),
            (videos, texts, "fold0_val_match.npz", scores.T, back),
        ):
            found = arrays(folder, name)
            np.testing.assert_array_equal(found[PLACES], nearest(own, other, K))
            at = np.take_along_axis(expected, found[PLACES], axis=1)
            np.testing.assert_allclose(found[SCORES], at, atol=2e-5)
            kept.append(match_matrix(found[PLACES], found[SCORES], 8))
    return forth, back


def check_fitted(data, save, flags):
    """Each recipe's cosine has that weight of all tried with which it does best by itself."""
    marks = {}
    for weight in TRIED:
        assert command("ensemble", data, save, *flags, "--cosine-weight", str(weight)) == 0
        result = json.loads((save / "retrieval" / "ensemble" / "retrieval.json").read_text())
        marks[weight] = result["fold_mean"]
    assert command("ensemble", data, save, *flags) == 0
    result = json.loads((save / "retrieval" / "ensemble" / "retrieval.json").read_text())
    for recipe, weight in result["cosine_weights"].items():
        best = max(of[recipe]["r_mean"] for of in marks.values())
        assert marks[weight][recipe]["r_mean"] == result["fold_mean"][recipe]["r_mean"] == best
        assert all(marks[w][recipe]["r_mean"] < best for w in TRIED if w < weight)
    assert set(result["cosine_weights"]) == {"albef", "uniter"}
    for recipe in ("albef", "uniter"):  # by the greatest one cosines sort, none rounded to another
        folder = save / "retrieval" / "inference" / recipe / f"two-stage-{K}"
        unit = []
        for side in ("_texts", ""):
            x = arrays(folder, f"fold0_val{side}.npz")["embedding"].astype("float64")
            unit.append(x / np.linalg.norm(x, axis=1, keepdims=True))
        own = RetrievalEvaluator(np.arange(8), 8).metrics_of_scores(unit[0] @ unit[1].T)
        assert marks[max(TRIED)][recipe]["t2v_R@1"] == pytest.approx(own["t2v_R@1"])
        assert marks[max(TRIED)][recipe]["v2t_R@1"] == pytest.approx(own["v2t_R@1"])
    assert "fitted on validation" in result["scored_by"] or not any(
        result["cosine_weights"].values()
    )


def check_resumed(data, save, flags, monkeypatch):
    """Stopped in the third part of the scores, then again: the same bytes."""
    folder = save / "retrieval" / "inference" / "albef" / f"two-stage-{K}"
    before = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    folder.rename(folder.with_name("kept"))
    predict, parts = retrieval.Retrieval.predict, []

    def stop(self, model, job, part):
        parts.append(part)
        if len(parts) == 5:
            raise KeyboardInterrupt
        return predict(self, model, job, part)

    monkeypatch.setattr(retrieval.Retrieval, "predict", stop)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        raise SystemExit(command("inference", data, save, *flags, recipes="albef"))
    monkeypatch.setattr(retrieval.Retrieval, "predict", predict)
    assert len(parts) == 5
    assert command("inference", data, save, *flags, recipes="albef") == 0
    after = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    assert after == before


def test_names_of_places():
    assert place_name(None, "embedding", 128) is None
    assert place_name("other", "embedding", 128) == "other"
    assert place_name(None, "two-stage", 128) == "two-stage-128"
    assert place_name("other", "joint", 128) == "other-joint"
