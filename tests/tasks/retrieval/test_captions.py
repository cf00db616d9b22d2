"""Captions, their folds, and every odd line by file and number."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vidsim.config import Common
from vidsim.config_fields import override
from vidsim.errors import VidsimError
from vidsim.records.video import Video
from vidsim.records.writer import write_videos
from vidsim.tasks.retrieval.captions import read_captions
from vidsim.tasks.retrieval.configs import CaptionFoldConfig, RetrievalConfig
from vidsim.tasks.retrieval.data import CaptionFolds
from vidsim.tasks.retrieval.ensemble import side_by_side
from vidsim.tasks.retrieval.write_folds import folds_of_videos, write_caption_folds


@pytest.fixture
def common(tmp_path):
    """Ten videos with three sentences each, the second part of them in pairwise/ alone."""
    videos = [Video(f"v{n}", frames=np.full((1, 4), n, "float16")) for n in range(10)]
    write_videos(tmp_path / "pointwise" / "a.tfrecords", videos[:6])
    write_videos(tmp_path / "pairwise" / "pairwise.tfrecords", videos[5:])
    (tmp_path / "retrieval").mkdir()
    lines = [f"v{n % 10}\tsentence {n}\n" for n in range(30)]
    (tmp_path / "retrieval" / "captions.tsv").write_text("".join(lines))
    return Common(data_dir=tmp_path, save_dir=tmp_path / "save", task="retrieval")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "captions.tsv: cannot be read"),
        (b"v1\ta\nv2 b\n", r":2: 'v2 b', a line without a tab; accepted is"),
        (b"v1\ta\n\nv2\tb\n", r":2: '', an empty line"),
        (b"v1\t \nv2\n", r":1: .*, an empty sentence; .* \(1 more lines are odd\)"),
        (b"v1\ta\tb\n", r":1: .*, 3 columns"),
        (b"\ta\n", r":1: .*, the id is ''"),
        (b"v1\ta\0\n", r":1: .*, a NUL in the sentence"),
        (b"v1\t\xff\n", "not UTF-8"),
        (b"", r":1: '', an empty line"),
    ],
)
def test_odd_files(content, said, tmp_path):
    path = tmp_path / "captions.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VidsimError, match=said):
        read_captions(path)


def test_what_is_read(tmp_path):
    """A byte order mark, line ends of Windows and blanks are no part of it; ids count per video."""
    path = tmp_path / "captions.tsv"
    path.write_bytes("\ufeffv1\t a dog \r\nv#2\tcat\r\nv1\ta dog\r\n\r\n".encode())
    found = read_captions(path)
    assert found.lines() == ["v1\ta dog\n", "v#2\tcat\n", "v1\ta dog\n"]
    assert found.ids.tolist() == [b"v1#0", b"v#2#0", b"v1#1"]


def test_folds_by_video(common, capsys):
    """Every video validates once, all its sentences on one side; equal seeds cut alike."""
    drawn = list(folds_of_videos(10, 3, 42))
    assert sorted(np.concatenate(drawn).tolist()) == list(range(10))
    assert [len(part) for part in drawn] == [3, 3, 4]
    again = [part.tolist() for part in folds_of_videos(10, 3, 42)]
    assert again == [part.tolist() for part in drawn]
    assert again != [part.tolist() for part in folds_of_videos(10, 3, 43)]

    config = CaptionFoldConfig(num_folds=3)
    write_caption_folds(common, config)
    folds = CaptionFolds(common)
    assert len(folds.videos) == 10  # the union, v5 once
    validated = []
    for fold in folds.folds:
        data = folds.load(fold)
        assert not {*data.train.videos.tolist()} & {*data.val.videos.tolist()}
        assert len(data.train) + len(data.val) == 30
        validated += data.val.different_videos().tolist()
    assert sorted(validated) == sorted(f"v{n}".encode() for n in range(10))
    capsys.readouterr()
    (common.data_dir / "folds" / "retrieval" / "fold1" / "val.tsv").unlink()
    write_caption_folds(common, config)
    write_caption_folds(common, config)
    assert "done already: 3 folds" in capsys.readouterr().out
    assert len(CaptionFolds(common).load(1).val) == 9

    (common.data_dir / "retrieval" / "captions.tsv").write_text("v1\ta\nv2\tb\nv3\tc\n")
    with pytest.raises(VidsimError, match=r"made otherwise:\n    digest of captions.tsv: "):
        write_caption_folds(common, config)
    with pytest.raises(VidsimError, match="--num-folds: 3 -> 2"):
        write_caption_folds(common, CaptionFoldConfig(num_folds=2))
    write_caption_folds(replace(common, redo=True), config)
    assert (common.data_dir / "folds" / "retrieval.old-1" / "fold2" / "train.tsv").exists()
    assert CaptionFolds(common).fewest == 2
    with pytest.raises(VidsimError, match="--num-folds 5: 3 videos have captions"):
        write_caption_folds(replace(common, redo=True), CaptionFoldConfig(num_folds=5))


def test_a_split_that_is_given(common):
    """dev_captions.tsv makes the one fold; no video on both sides, no unknown one, no flag."""
    dev = common.data_dir / "retrieval" / "dev_captions.tsv"
    dev.write_text("v9\tone\nv3\ttwo\n")
    with pytest.raises(
        VidsimError, match=r"2 captions are of videos that are in .*'v9' \(line 1\)"
    ):
        write_caption_folds(common, CaptionFoldConfig())
    dev.write_text("v9\tone\nw\ttwo\n")
    with pytest.raises(VidsimError, match=r"dev_captions.tsv:2: no video 'w' among the 10 videos"):
        write_caption_folds(common, CaptionFoldConfig())
    captions = common.data_dir / "retrieval" / "captions.tsv"
    captions.write_text("v1\ta\nv1\tb\n")
    dev.write_text("v9\tone\nv9\ttwo\n")
    with pytest.raises(VidsimError, match=r"--num-folds 2: .* gives the validation"):
        write_caption_folds(common, CaptionFoldConfig(num_folds=2))
    write_caption_folds(common, CaptionFoldConfig())
    data = CaptionFolds(common).load(0)
    assert (data.count, data.val.sentences, len(data.gallery)) == (2, ["one", "two"], 1)
    manifest = common.data_dir / "folds" / "retrieval" / "folds.json"
    assert json.loads(manifest.read_text())["configuration"]["given"] is True
    manifest.write_text("{")
    with pytest.raises(VidsimError, match="is not a list of folds"):
        CaptionFolds(common)


def test_flags_that_would_do_nothing():
    for values in ({"modality_dropout": 0.2}, {"train_record_pattern": "x"}):
        with pytest.raises(VidsimError, match=next(iter(values)).replace("_", "-")):
            override(RetrievalConfig(), values).check_fields()


def test_cosines_side_by_side():
    """Weights 1 and 3: cosines (1, 0) and (0, 0), for a zero vector has none: 1/4 and 0."""
    one = np.eye(2), np.array([[2.0, 0.0], [0.0, 3.0]])
    other = np.zeros((2, 3)), np.ones((2, 3))
    texts, videos = side_by_side([one, other], [1, 3])
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1)
    np.testing.assert_allclose(np.linalg.norm(videos, axis=1), 1)
    np.testing.assert_allclose(texts @ videos.T, [[0.25, 0], [0, 0.25]], atol=1e-12)
