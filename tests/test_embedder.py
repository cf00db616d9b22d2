"""The library interface: the same vectors as the pipeline's, from a folder alone."""

import subprocess
import sys

import numpy as np
import pytest

import vidsim
from vidsim.errors import VidsimError
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.pipeline import embedding_dataset
from vidsim.records.frame_reader import FrameReader
from vidsim.training.checkpoint import Checkpoint
from vidsim.training.checkpoint_keeper import CheckpointKeeper


@pytest.fixture(scope="module")
def checkpoint(build_smallest, tokenizer, tags):
    backbone = build_smallest("uniter", num_labels=len(tags), vocab_size=len(tokenizer))
    return Checkpoint(backbone, tokenizer, tags, {})


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "ckpt-7"
    checkpoint.save(path)
    return path


@pytest.fixture(scope="module")
def frames(videos):
    """Every video's frames as an array of its own."""
    reader = FrameReader(videos)
    return [
        reader.read(np.array([row]), np.arange(n)[None], np.ones((1, n), bool))[0]
        for row, n in enumerate(videos.n_frames)
    ]


@pytest.fixture(scope="module")
def embedder(folder):
    return vidsim.Embedder.from_checkpoint(folder)


def test_as_the_pipeline_embeds(embedder, checkpoint, videos, frames):
    config = checkpoint.backbone.config
    examples = Examples(videos, checkpoint.tokenizer, checkpoint.tags, config)
    dataset = embedding_dataset(examples, np.arange(len(videos)), 7)
    expected = EmbeddingModel(checkpoint.backbone).embed(dataset)
    found = embedder.encode(titles=videos.titles, frames=frames, batch_size=3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)

    unit = embedder.encode(videos.titles, frames, normalize_embeddings=True)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, found / norms, atol=1e-5)


@pytest.mark.traced
def test_few_traces_for_all_lengths(build_smallest, tokenizer, tags, videos, frames):
    backbone = build_smallest("uniter", num_labels=len(tags), vocab_size=len(tokenizer))
    embedder, traces = vidsim.Embedder(Checkpoint(backbone, tokenizer, tags, {})), []
    call = backbone.call
    backbone.call = lambda *inputs, **flags: traces.append(1) or call(*inputs, **flags)
    embedder.encode(videos.titles, frames, batch_size=3)
    assert 1 <= len(traces) <= 4  # TensorFlow leaves open what it has seen to differ
    traces.clear()
    embedder.encode(videos.titles[:7], frames[:7], batch_size=5)
    assert not traces


def test_one_side_alone(embedder, videos, frames):
    none = [video[:0] for video in frames]
    titles = embedder.encode(titles=videos.titles)
    np.testing.assert_allclose(titles, embedder.encode(videos.titles, none), atol=1e-5)
    alone = embedder.encode(frames=frames)
    np.testing.assert_allclose(alone, embedder.encode([""] * len(frames), frames), atol=1e-5)
    assert np.abs(titles - alone).max() > 0.01
    assert embedder.encode(titles=[]).shape == (0, 8)


def test_what_a_model_was_not_trained_on_is_not_shown(
    build_smallest, tokenizer, tags, videos, frames
):
    for shown, side in (("title", {"titles": videos.titles}), ("frames", {"frames": frames})):
        backbone = build_smallest("uniter", len(tags), len(tokenizer), modalities=shown)
        embedder = vidsim.Embedder(Checkpoint(backbone, tokenizer, tags, {}))
        both = embedder.encode(videos.titles, frames)
        np.testing.assert_allclose(both, embedder.encode(**side), atol=1e-5)


def test_a_run_gives_its_best_checkpoint(checkpoint, embedder, tmp_path):
    keeper = CheckpointKeeper(tmp_path / "fold0", lambda path, metrics: checkpoint.save(path))
    keeper.keep(7, {"spearman": 0.5})
    keeper.publish()
    found = vidsim.Embedder.from_checkpoint(tmp_path / "fold0").encode(titles=["猫咪 7"])
    np.testing.assert_allclose(found, embedder.encode(titles=["猫咪 7"]), atol=1e-6)


def test_another_process_needs_the_folder_and_nothing_else(embedder, folder, tmp_path):
    moved = folder.rename(tmp_path / "elsewhere")
    try:
        code = (
            "import sys, numpy, vidsim\n"
            "embedder = vidsim.Embedder.from_checkpoint(sys.argv[1])\n"
            "numpy.save('out.npy', embedder.encode(titles=['猫咪 唱歌', '']))\n"
        )
        command = [sys.executable, "-W", "error", "-c", code, str(moved)]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
    finally:
        moved.rename(folder)
    expected = embedder.encode(titles=["猫咪 唱歌", ""])
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)


@pytest.mark.parametrize("show", [True, False])
def test_the_progress_bar(embedder, capfd, show):
    embedder.encode(titles=["a", "b"], batch_size=1, show_progress_bar=show)
    assert ("Batches" in capfd.readouterr().err) == show


def frames_with(value, dtype="float32"):
    """Three videos; frame 5 of the last has the value in column 7."""
    made = [np.zeros((0, 1536)), np.ones((2, 1536)), np.ones((6, 1536), dtype)]
    made[2][5, 7] = value
    return made


def test_whatever_gives_texts_and_frames_in_order_will_do(embedder, videos, frames):
    class Column:
        """Like a column of a table: it is iterated over, and its index is not 0 to N - 1."""

        def __iter__(self):
            return iter(texts)

    texts, some = videos.titles[:4], [np.rint(video[:3]) for video in frames[:4]]
    expected = embedder.encode(texts, some)
    for titles in ((text for text in texts), np.array(texts), np.array(texts, object), Column()):
        np.testing.assert_array_equal(embedder.encode(titles, iter(some)), expected)
    for dtype in ("int8", "int64", "float64"):
        found = embedder.encode(tuple(texts), [video.astype(dtype) for video in some])
        np.testing.assert_array_equal(found, expected)
    equal = [video[:2] for video in frames if len(video) > 1][:3]
    together = embedder.encode(frames=np.stack(equal), batch_size=np.int64(2))
    np.testing.assert_array_equal(together, embedder.encode(frames=equal, batch_size=2))
    largest = embedder.encode(frames=frames_with(65504))
    assert np.isfinite(largest).all()
    for nothing in ({"titles": []}, {"frames": ()}, {"frames": np.zeros((0, 2, 1536))}):
        assert embedder.encode(**nothing, normalize_embeddings=True).shape == (0, 8)
    np.testing.assert_array_equal(
        embedder.encode(["a"], [[]]), embedder.encode(["a"], [np.zeros((0, 1536))])
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give titles, frames or both"),
        ({"titles": "猫咪"}, "titles is one text; a list of texts is needed"),
        ({"titles": ["a"], "frames": []}, "1 titles and 0 videos' frames"),
        ({"titles": ["a", None]}, r"titles\[1\] is None \(NoneType\); .* '' for a video without"),
        ({"titles": ["a", float("nan")]}, r"titles\[1\] is nan \(float\)"),
        ({"titles": [b"a"]}, r"titles\[0\] is b'a' \(bytes\)"),
        ({"titles": [7]}, r"titles\[0\] is 7 \(int\)"),
        ({"titles": ["a", ("b", "c")]}, r"titles\[1\] is \('b', 'c'\) \(tuple\)"),
        ({"titles": ["a", "hi \ud83d"]}, r"titles\[1\] is 'hi \\ud83d': '\\ud83d' at place 3"),
        ({"titles": b"abc"}, r"titles is b'abc' \(bytes\); accepted is a list of texts"),
        ({"titles": {"a": 1}}, r"titles is \{'a': 1\} \(dict\)"),
        ({"titles": 5}, r"titles is 5 \(int\)"),
        ({"titles": np.array("a")}, "titles: iteration over a 0-d array"),
        ({"frames": [np.zeros((0, 1536)), np.zeros(1536)]}, r"frames\[1\] has shape \(1536,\)"),
        ({"frames": np.zeros((1, 2, 5))}, r"\(2, 5\); a video's frames are numbers \(n, 1536\)"),
        ({"frames": np.zeros((2, 1536))}, r"frames is one array of shape \(2, 1536\)"),
        ({"frames": [np.ones((2, 1536)), None]}, r"frames\[1\] is None \(NoneType, as an"),
        ({"frames": [[[1.0], [1.0, 2.0]]]}, r"frames\[0\]: no array"),
        ({"frames": [np.full((2, 1536), "x")]}, r"frames\[0\] is array"),
        ({"frames": [np.ones((2, 1536), bool)]}, "as an array bool"),
        ({"frames": frames_with(np.nan)}, r"frames\[2\]\[5\] has nan in column 7; .* 65504"),
        ({"frames": frames_with(-np.inf)}, r"frames\[2\]\[5\] has -inf"),
        ({"frames": frames_with(1e5)}, r"frames\[2\]\[5\] has 100000\.0"),
        ({"frames": frames_with(10**12, "int64")}, r"frames\[2\]\[5\] has 1000000000000"),
        ({"titles": ["a", "b"], "batch_size": -1}, "batch_size is -1; accepted is 1, 2, 3"),
        ({"titles": ["a", "b"], "batch_size": 0}, "batch_size is 0;"),
        ({"titles": ["a", "b"], "batch_size": 1.5}, "batch_size is 1.5;"),
        ({"titles": ["a", "b"], "batch_size": True}, "batch_size is True;"),
        ({"titles": [], "batch_size": None}, "batch_size is None;"),
    ],
)
def test_mistakes_are_named_with_their_place(embedder, arguments, message):
    with pytest.raises(VidsimError, match=message):
        embedder.encode(**arguments)


def test_importing_the_package_is_light():
    code = "import sys, vidsim; assert 'keras' not in sys.modules; vidsim.Embedder"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    with pytest.raises(AttributeError, match="no attribute 'Embeder'"):
        vidsim.Embeder  # noqa: B018


def test_frames_of_another_width(build_smallest, tokenizer, tags):
    """Those of the model alone are read; and texts of the fields that the model reads."""
    backbone = build_smallest(
        "uniter", vocab_size=len(tokenizer), inputs={"widths": {"frames": 512}}, **SEVERAL
    )
    embedder = vidsim.Embedder(Checkpoint(backbone, tokenizer, tags, {}))
    assert embedder.encode(["a"], [np.ones((2, 512))]).shape == (1, 8)
    with pytest.raises(VidsimError, match=r"frames\[0\] has shape \(2, 1536\).*\(n, 512\)"):
        embedder.encode(["a"], [np.ones((2, 1536))])
    title = embedder.encode(["football"])
    both = embedder.encode(["football"], texts={"asr_text": ["Playing"]})
    assert np.abs(title - both).max() > 1e-4
    np.testing.assert_array_equal(title, embedder.encode(["football"], texts={"asr_text": [""]}))
    with pytest.raises(VidsimError, match=r"texts has 'ocr_text'; .*this model reads asr_text"):
        embedder.encode(["a"], texts={"ocr_text": ["b"]})
    with pytest.raises(VidsimError, match="2 texts of asr_text for 1 videos"):
        embedder.encode(["a"], texts={"asr_text": ["b", "c"]})


SEVERAL = {"text_fields": "title,asr_text", "text_lengths": "8,8"}
