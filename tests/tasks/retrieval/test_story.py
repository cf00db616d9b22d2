"""Story: captions of a small made data set become retrieval.json, for both families."""

import json

import keras
import numpy as np
import pytest

import vidsim
from vidsim.cli import main
from vidsim.errors import Interrupted
from vidsim.metrics.retrieval import RetrievalEvaluator
from vidsim.records.video import Video
from vidsim.records.writer import write_videos
from vidsim.tasks.retrieval.validation import RetrievalValidation

pytestmark = pytest.mark.slow

THINGS = ("dog", "car", "boat", "cake", "horse", "song", "game", "tree")
SHORT = ("--total-steps", "4", "--eval-freq", "2", "--print-freq", "2", "--batch-size", "8")
START = ("--pretrain-model-dir", "none", "--warmup-steps", "1", "--bert-warmup-steps", "1")
TOWERS = ("--tower-hidden", "16", "--tower-skip")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """24 videos of 32 numbers a frame, two sentences each; 6 test videos with one. No tags."""
    folder = tmp_path_factory.mktemp("story") / "data"
    rng = np.random.default_rng(0)
    look = rng.normal(size=(len(THINGS), 32))

    def video(number, name):
        frames = look[number % 8] + rng.normal(size=(2 + number % 2, 32)) / 4
        return Video(name, "a title that nobody may read", frames.astype("float16"))

    def line(number, name, word):
        return f"{name}\ta {THINGS[number % 8]} {word} here\n"

    made = [video(n, f"v{n}") for n in range(24)]
    write_videos(folder / "pointwise" / "a.tfrecords", made[:14])
    write_videos(folder / "pairwise" / "pairwise.tfrecords", made[12:])  # two are in both
    write_videos(folder / "test_b" / "test_b.tfrecords", [video(n, f"t{n}") for n in range(6)])
    captions = [line(n, f"v{n}", word) for word in ("is", "stays") for n in range(24)]
    (folder / "retrieval").mkdir()
    (folder / "retrieval" / "captions.tsv").write_text("".join(captions))
    tests = "".join(line(n, f"t{n}", "was") for n in range(6))
    (folder / "retrieval" / "test_captions.tsv").write_text(tests)
    flags = ["--task", "retrieval", "--data-dir", str(folder), "--num-folds", "2"]
    assert main(["write_tfrecord", *flags]) == 0
    return folder


def command(stage, data, save, *extra, recipes="mix,uniter", folds="0,1"):
    common = ["--task", "retrieval", "--data-dir", str(data), "--save-dir", str(save)]
    return main([stage, *common, "--recipes", recipes, "--folds", folds, *extra])


@pytest.fixture(scope="module")
def first(data, tmp_path_factory):
    """A finished run."""
    save = tmp_path_factory.mktemp("first")
    for recipe, towers in (("mix", ()), ("uniter", TOWERS)):
        flags = ("--size", "tiny", *SHORT, *START, *towers)
        assert command("finetune", data, save, *flags, recipes=recipe) == 0
    assert command("inference", data, save) == 0
    assert command("ensemble", data, save) == 0
    return save / "retrieval"


def test_the_result_is_what_the_files_say(first, data):
    """Marks recomputed from the embeddings: cosines of folds averaged, recipes alike; the titles,
    equal in all videos, would give every video one vector if anyone read them."""
    result = json.loads((first / "ensemble" / "retrieval.json").read_text())
    assert (result["format"], result["mode"]) == (1, "embedding")
    scores = 0
    for recipe in ("mix", "uniter"):
        for fold in (0, 1):
            path = first / "inference" / recipe
            with np.load(path / f"fold{fold}.npz") as found:
                assert found["id"].tolist() == [f"t{n}" for n in range(6)]
                videos = found["embedding"]
            with np.load(path / f"fold{fold}_texts.npz") as found:
                assert found["id"].tolist() == [f"t{n}#0" for n in range(6)]
                texts = found["embedding"]
            assert len(np.unique(videos.round(5), axis=0)) == 6
            unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (texts, videos)]
            scores = scores + unit[0] @ unit[1].T / 4
    expected = RetrievalEvaluator(np.arange(6), 6).report_of_scores(scores)
    assert result["test"]["ensemble"]["metrics"] == pytest.approx(expected.metrics)
    assert result["test"]["ensemble"]["chance"]["t2v_R@5"] == pytest.approx(100 * 5 / 6)
    assert "gallery 6 videos" in result["test"]["ensemble"]["protocol"]

    for recipe in ("mix", "uniter"):
        for fold in (0, 1):
            metrics = json.loads(
                (first / "finetune" / recipe / f"fold{fold}" / "metrics.json").read_text()
            )
            marks = result["validation"][str(fold)][recipe]["metrics"]
            assert metrics["r_mean"] == pytest.approx(marks["r_mean"])
            assert metrics["data"]["captions"] == metrics["data"]["validation_captions"] == 24
            assert metrics["data"]["baseline"]["t2v_R@1"] == pytest.approx(100 / 12)
    embedder = vidsim.Embedder.from_checkpoint(first / "finetune" / "uniter" / "fold0")
    with np.load(first / "inference" / "uniter" / "fold0_texts.npz") as texts:  # by its towers
        embedded = embedder.encode(["a dog was here"])[0]
        np.testing.assert_allclose(embedded, texts["embedding"][0], atol=2e-3)
    members = sorted(path.name for path in (first / "inference" / "mix").glob("*.npz"))
    assert members[:4] == ["fold0.npz", "fold0_texts.npz", "fold0_val.npz", "fold0_val_texts.npz"]


def test_killed_and_repeated_it_gives_the_same_bytes(first, data, tmp_path, monkeypatch, capsys):
    """Stopped at the first validation, and inference between two files; then as undisturbed."""
    which = {"recipes": "uniter", "folds": "1"}
    judge = RetrievalValidation.__call__

    def stop(self):
        judge(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(RetrievalValidation, "__call__", stop)
    flags = ("--size", "tiny", *SHORT, *START, *TOWERS, "--save-seconds", "0")
    with pytest.raises((Interrupted, KeyboardInterrupt, SystemExit)):
        raise SystemExit(command("finetune", data, tmp_path, *flags, **which))
    monkeypatch.setattr(RetrievalValidation, "__call__", judge)
    keras.layers.Dropout(0.5)  # Keras counts from elsewhere now, as another process does
    capsys.readouterr()
    assert command("finetune", data, tmp_path, *flags, **which) == 0
    assert "goes on after step 1" in capsys.readouterr().out
    assert command("inference", data, tmp_path, **which) == 0
    for name in ("fold1", "fold1_texts", "fold1_val", "fold1_val_texts"):
        paths = (
            root / "inference" / "uniter" / f"{name}.npz"
            for root in (first, tmp_path / "retrieval")
        )
        one, other = (path.read_bytes() for path in paths)
        assert one == other, name


def test_files_of_other_captions_are_refused(first, data, capsys):
    """The same number of test captions, one of them reworded since."""
    path = data / "retrieval" / "test_captions.tsv"
    before = path.read_text()
    path.write_text(before.replace("dog", "wolf"))
    save = first.parent
    assert command("ensemble", data, save) == 1
    assert "other videos or sentences than there are now (test_texts)" in capsys.readouterr().err
    path.write_text(before)
    assert command("ensemble", data, save) == 0


def test_what_check_says(data, capsys):
    main(["check", "--data-dir", str(data)])
    said = capsys.readouterr().out
    for text in ("48 captions", "of 24 videos, 2 a video", "6 captions", "24 captions"):
        assert text in said
    assert "retrieval" not in "".join(line for line in said.splitlines() if "BAD" in line)
