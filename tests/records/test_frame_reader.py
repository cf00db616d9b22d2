"""Frames of a batch: the very numbers of the files, zero where masked, also from many threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from vidsim.errors import VidsimError
from vidsim.records.frame_reader import FrameReader
from vidsim.records.video_table import load_videos
from vidsim.records.writer import write_videos


@pytest.fixture
def reader(tmp_path, make_video) -> FrameReader:
    """Videos 0-2 with 3, 0 and 1 frames in one file, video 3 with 2 frames in another."""
    write_videos(tmp_path / "a.tfrecords", [make_video(i, n) for i, n in enumerate((3, 0, 1))])
    write_videos(tmp_path / "b.tfrecords", [make_video(3, 2)])
    return FrameReader(load_videos(f"{tmp_path}/*.tfrecords"))


def test_derived_gather(reader):
    """Frame k of video i is filled with i + k / 8 (see make_video)."""
    index = np.array([[1, 0], [2, 0], [7, 9], [0, -1]])
    mask = np.array([[True, True], [True, False], [False, False], [True, False]])
    frames = reader.read(np.array([3, 0, 1, 2]), index, mask)
    assert frames.shape == (4, 2, 1536) and frames.dtype == np.float16
    assert frames[:, :, 0].tolist() == [[3.125, 3.0], [0.25, 0.0], [0.0, 0.0], [2.0, 0.0]]
    assert (frames == frames[:, :, :1]).all()


def test_parity_with_tensorflow_on_the_sample(sample):
    path = sample / "pairwise" / "pairwise.tfrecords"
    table = load_videos(path)
    index = np.tile(np.arange(64), (len(table), 1))
    mask = index < table.n_frames[:, None]
    ours = FrameReader(table).read(np.arange(len(table)), index, mask)
    for row, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
        feature = tf.train.Example.FromString(record).features.feature["frame_feature"]
        theirs = b"".join(feature.bytes_list.value)
        assert ours[row][mask[row]].tobytes() == theirs
    assert not ours[~mask].any()
    assert mask.sum() > 1000


def test_threads_read_the_same(sample):
    table = load_videos(f"{sample}/p*/*.tfrecords")
    assert len(table.paths) == 3
    reader = FrameReader(table)

    def batch(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, len(table), 64)
        index = rng.integers(0, 64, (64, 8))
        return reader.read(rows, index, index < table.n_frames[rows, None]).tobytes()

    alone = [batch(seed) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(batch, range(16))) == alone
    assert len(set(alone)) == 16


@pytest.mark.parametrize("frame", [-1, 1])
def test_a_frame_that_is_not_there(reader, frame):
    with pytest.raises(IndexError, match=f"element {frame} of frame_feature of row 2, which has 1"):
        reader.read(np.array([2]), np.array([[frame]]), np.array([[True]]))


def test_a_file_that_shrank(tmp_path, make_video):
    path = tmp_path / "v.tfrecords"
    write_videos(path, [make_video(0)])
    table = load_videos(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(VidsimError, match=r"v\.tfrecords: 5000 bytes, but its vectors end"):
        FrameReader(table)


def test_no_rows_and_no_frames_at_all(tmp_path, make_video):
    path = tmp_path / "v.tfrecords"
    write_videos(path, [make_video(0, 0)])
    with pytest.raises(VidsimError, match="not one vector in the 1 videos of"):
        FrameReader(load_videos(path))
    reader = FrameReader(load_videos(path), width=1536)
    nothing = np.zeros((1, 3), bool)
    assert reader.read(np.array([0]), np.zeros((1, 3), int), nothing).shape == (1, 3, 1536)
    assert reader.read(np.zeros(0, int), nothing[:0], nothing[:0]).shape == (0, 3, 1536)
