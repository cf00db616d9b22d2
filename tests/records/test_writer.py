"""What is written is what was given: read back by TensorFlow, same bytes each time."""

import os
import time

import numpy as np
import pytest
import tensorflow as tf

from vidsim.files import atomic_file
from vidsim.records.folds import published_folds
from vidsim.records.pairs import Pairs, read_pair_file
from vidsim.records.video_table import load_videos
from vidsim.records.writer import (
    self_contained_records,
    thin_pair_records,
    write_records,
    write_videos,
)


def features(path) -> list[dict]:
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [dict(tf.train.Example.FromString(record).features.feature) for record in records]


def test_parity_video_fields_as_tensorflow_reads_them(tmp_path, make_video):
    full = make_video(3, 2, tags=(9, 2), category=10203, asr_text="")
    assert write_videos(tmp_path / "v", [full, make_video(4, 0)]) == (tmp_path / "v").stat().st_size
    first, second = features(tmp_path / "v")
    assert first["id"].bytes_list.value[:] == [b"103"]
    assert first["title"].bytes_list.value[:] == ["标题3".encode()]
    assert first["asr_text"].bytes_list.value[:] == [b""]
    assert first["tag_id"].int64_list.value[:] == [9, 2]
    assert first["category_id"].int64_list.value[:] == [10203]
    frames = [np.frombuffer(frame, "<f2") for frame in first["frame_feature"].bytes_list.value]
    assert np.array_equal(frames, full.frames)
    assert set(second) == {"id", "title", "frame_feature"}
    assert second["frame_feature"].WhichOneof("kind") == "bytes_list"
    assert not second["frame_feature"].bytes_list.value


@pytest.mark.parametrize("frames", [np.zeros((2, 1536), np.float32), np.zeros(9, np.float16)])
def test_frames_of_another_kind(tmp_path, make_video, frames):
    with pytest.raises(ValueError, match="frame_feature of 100: float"):
        write_videos(tmp_path / "v", [make_video(0, frames=frames)])
    assert list(tmp_path.iterdir()) == []


def test_thin_records(tmp_path):
    pairs = Pairs.from_lists([b"1234567890123456789"] * 2, [b"2", b"1234567890123456789"], [0.3, 1])
    records = thin_pair_records(pairs)
    assert len(records[1]) == 101  # as the module says
    write_records(tmp_path / "t", records)
    first = features(tmp_path / "t")[0]
    assert {name: feature.WhichOneof("kind") for name, feature in first.items()} == {
        "id_1": "bytes_list",
        "id_2": "bytes_list",
        "sim": "float_list",
    }
    read, _ = read_pair_file(tmp_path / "t")
    for name in ("id_1", "id_2", "sim"):
        assert getattr(read, name).tolist() == getattr(pairs, name).tolist()


def test_self_contained_records(sample, tmp_path):
    path = sample / "pairwise" / "pairwise.tfrecords"
    table = load_videos(path)
    rows = np.array([[3, 5], [5, 0]])
    sim = np.array([0.25, 0.5], np.float32)
    write_records(tmp_path / "f", self_contained_records(table, rows, sim))
    videos, pairs = features(path), features(tmp_path / "f")
    for pair, two, rating in zip(pairs, rows, sim, strict=True):
        expected = {f"{name}_1": value for name, value in videos[two[0]].items()}
        expected |= {f"{name}_2": value for name, value in videos[two[1]].items()}
        assert pair.pop("sim").float_list.value[:] == [rating]
        assert pair == expected
        assert len(expected) == 12
    _, inside = read_pair_file(tmp_path / "f")
    assert inside is not None
    assert inside.ids.tolist() == table.ids[[3, 5, 0]].tolist()
    assert inside.n_frames.tolist() == table.n_frames[[3, 5, 0]].tolist()


def test_eleven_folds_of_the_challenge_take_seconds_and_megabytes(tmp_path):
    """67,899 pairs of 63,613 videos with 19-digit ids; 70 GB and more as published."""
    rng = np.random.default_rng(0)
    ids = (10**18 + np.arange(63_613)).astype(np.bytes_)
    first, second = ids[rng.integers(0, len(ids), (2, 67_899))]
    pairs = Pairs(first, second, rng.random(67_899, np.float32))
    started = time.monotonic()
    records = thin_pair_records(pairs)
    size = 0
    for fold in published_folds(len(pairs)):
        for name, part in (("val", fold.val), ("train", fold.train)):
            size += write_records(tmp_path / fold.name / name, (records[row] for row in part))
    assert size == 11 * 67_899 * 101
    read, _ = read_pair_file(tmp_path / "0-5999val" / "train")
    assert len(read) == 61_899
    assert time.monotonic() - started < 60  # measured: 4 s


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file"
    with pytest.raises(KeyError), atomic_file(path) as file:
        file.write(b"half")
        raise KeyError
    assert os.listdir(path.parent) == []
    with atomic_file(path) as file:
        file.write(b"old")
    with pytest.raises(KeyError), atomic_file(path) as file:
        file.write(b"half")
        raise KeyError
    reader = path.open("rb")
    with atomic_file(path) as file:
        file.write(b"half of it")
        assert path.read_bytes() == b"old"
    assert reader.read() == b"old"  # who has the old file open keeps it
    reader.close()
    assert path.read_bytes() == b"half of it"
    assert os.listdir(path.parent) == ["file"]
