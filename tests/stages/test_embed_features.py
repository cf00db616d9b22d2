"""vidsim embed on a table with features: the vectors of the Embedder on the same frames."""

import sys
import types

import numpy as np
import pytest

import vidsim
from vidsim.cli import main
from vidsim.files import file_digest
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.records.frame_reader import FrameReader
from vidsim.stages.video_features import extraction
from vidsim.training.checkpoint import Checkpoint

ORIGIN = FeatureOrigin("net", "0" * 64, 1536, "PyAV 18.0.0", "7 frames at bin centres")


@pytest.fixture(scope="module")
def checkpoint(build_smallest, tokenizer, tags, tmp_path_factory):
    """A checkpoint of a run on features whose origin is known."""
    folder = tmp_path_factory.mktemp("run") / "ckpt-1"
    info = {"features": vars(ORIGIN)}
    backbone = build_smallest("uniter", len(tags), len(tokenizer))
    Checkpoint(backbone, tokenizer, tags, info).save(folder)
    return folder


@pytest.fixture(scope="module")
def given(videos, tmp_path_factory):
    """The table of 40 videos, and each one's features in a file."""
    folder, reader = tmp_path_factory.mktemp("given"), FrameReader(videos)
    (folder / "f").mkdir()
    frames = []
    for row, n in enumerate(videos.n_frames.tolist()):
        places = (np.array([row]), np.arange(n)[None], np.ones((1, n), bool))
        frames.append(reader.read(*places)[0])
        np.save(folder / "f" / f"{videos.ids[row].decode()}.npy", frames[-1])
    ids = [video.decode() for video in videos.ids.tolist()]
    lines = [f"{video}\t{title}\tx\n" for video, title in zip(ids, videos.titles, strict=True)]
    (folder / "t.tsv").write_text("vid\ttitle\turl\n" + "".join(lines))
    return folder, ids, frames


def embed(checkpoint, folder, out, *more):
    words = ["embed", "--checkpoint", str(checkpoint), "--videos", str(folder / "t.tsv")]
    words += ["--out", str(out), "--columns", "id=vid", "--batch-size", "16", "--shard-size", "16"]
    return main([*words, *more])


def test_a_table_with_features(checkpoint, given, videos, tmp_path, capsys):
    folder, ids, frames = given
    out, features = tmp_path / "out.npz", ("--features", str(folder / "f"))
    assert embed(checkpoint, folder, out, *features) == 0
    with np.load(out) as found:
        assert found["ids"].tolist() == ids
        expected = vidsim.Embedder.from_checkpoint(checkpoint).encode(videos.titles, frames)
        np.testing.assert_allclose(found["embeddings"], expected, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".out.npz.lock",
        "out.npz",
        "out.npz.json",
    ]
    before = file_digest(out)
    capsys.readouterr()
    assert embed(checkpoint, folder, out, *features) == 0
    assert "done already" in capsys.readouterr().out and file_digest(out) == before


def test_features_of_another_origin_or_width(checkpoint, given, tmp_path, capsys):
    folder, ids, frames = given
    np.savez(tmp_path / "narrow.npz", ids=ids, features=np.ones((40, 1, 3)))
    assert (
        embed(checkpoint, folder, tmp_path / "o", "--features", str(tmp_path / "narrow.npz")) == 1
    )
    assert "read frames of 1536 numbers, and those of" in capsys.readouterr().err
    other = tmp_path / "other"
    FeatureOrigin("swin", "1" * 64, 1536, "PyAV 19", "3 frames at bin centres").write(other)
    for video, array in zip(ids, frames, strict=True):
        np.save(other / f"{video}.npy", array)
    assert embed(checkpoint, folder, tmp_path / "o", "--features", str(other)) == 1
    err = capsys.readouterr().err
    assert "extractor: net -> swin" in err and "decoder" not in err
    np.save(other / f"{ids[3]}.npy", frames[3] * np.nan)
    (other / "features.json").unlink()
    assert embed(checkpoint, folder, tmp_path / "o", "--features", str(other)) == 1
    assert f"{ids[3]}.npy: frame 0 has nan" in capsys.readouterr().err


def test_raw_videos_are_read_as_the_models_know_them(checkpoint, given, tmp_path, monkeypatch):
    """The extractor and the sampling are those of the checkpoint, unless flags say otherwise."""
    folder, ids, frames = given
    asked = []

    def extract_features(files, extractor, sampling, out):
        asked.append((len(files), extractor, sampling, out))
        out.mkdir()
        for video, array in zip(ids, frames, strict=True):
            np.savez(out / f"{video}.npz", features=array, times=np.arange(len(array)))

    def named_videos(folder, named, where):
        return types.SimpleNamespace(files=dict(named), notes=[])

    for name, members in (
        ("vidsim.extractors.registry", {"load_extractor": lambda name: name}),
        ("vidsim.stages.extract", {"extract_features": extract_features}),
        ("vidsim.video_files.sampling", {"Sampling": lambda *numbers: numbers}),
        ("vidsim.video_files.sources", {"named_videos": named_videos}),
    ):
        package = name.rpartition(".")[0]
        if package not in sys.modules:
            monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**members))
    assert embed(checkpoint, folder, tmp_path / "o.npz", "--video-files", str(folder)) == 0
    assert asked == [(40, "net", (7, None), tmp_path / "o.features")]


def test_how_features_are_to_be_made():
    rate = FeatureOrigin("net", "", 4, "", "0.5 frames a second")
    assert extraction(None, None, None, None) == ("efficientnet_lite0", (32, None))
    assert extraction(None, None, None, ORIGIN) == ("net", (7, None))
    assert extraction("swin", None, None, rate) == ("swin", (32, 0.5))
    assert extraction(None, 5, None, rate) == ("net", (5, None))
