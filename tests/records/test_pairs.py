"""Fold files of both kinds, and what does not belong into one."""

import numpy as np
import pytest
import tensorflow as tf

from vidsim.records.frame_reader import FrameReader
from vidsim.records.pairs import Pairs, read_pair_file
from vidsim.records.record_error import RecordError
from vidsim.records.tfrecord import frame_record
from vidsim.records.wire import BYTES, FLOAT, INT64, Feature, encode_example

THIN = {
    "id_1": Feature(BYTES, [b"11"]),
    "id_2": Feature(BYTES, [b"22"]),
    "sim": Feature(FLOAT, [0.5]),
}


def fat_record(id_1: str, id_2: str, sim: float, fill: float) -> bytes:
    """A pair as the published code writes it, made by TensorFlow; frames filled with a number."""

    def raw(*values: bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def ints(*values: int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    feature = {"sim": tf.train.Feature(float_list=tf.train.FloatList(value=[sim]))}
    for side, video_id in ((1, id_1), (2, id_2)):
        frame = np.full(1536, fill + side, np.float16).tobytes()
        feature |= {
            f"id_{side}": raw(video_id.encode()),
            f"tag_id_{side}": ints(side, 7),
            f"frame_feature_{side}": raw(*[frame] * side),
            f"category_id_{side}": ints(10000 + side),
            f"title_{side}": raw(f"标题{video_id}".encode()),
            f"asr_text_{side}": raw(b"nan"),
        }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write(path, *payloads: bytes):
    path.write_bytes(b"".join(map(frame_record, payloads)))
    return path


def test_thin(tmp_path):
    second = {**THIN, "id_2": Feature(BYTES, [b"9223372036854775807"]), "sim": Feature(FLOAT, [1])}
    path = write(tmp_path / "t.tfrecord", encode_example(THIN), encode_example(second))
    pairs, table = read_pair_file(path)
    assert table is None
    assert pairs.id_1.tolist() == [b"11", b"11"]
    assert pairs.id_2.tolist() == [b"22", b"9223372036854775807"]
    assert pairs.sim.tolist() == [0.5, 1.0] and pairs.sim.dtype == np.float32


def test_self_contained_as_tensorflow_writes_it(tmp_path):
    """Video 11 stands in both records; its first appearance counts, with 1 frame of 1.0."""
    path = write(
        tmp_path / "fat.tfrecord", fat_record("11", "22", 0.25, 0), fat_record("33", "11", 0.75, 4)
    )
    pairs, table = read_pair_file(path)
    assert table is not None
    assert pairs.id_1.tolist() == [b"11", b"33"] and pairs.id_2.tolist() == [b"22", b"11"]
    assert pairs.sim.tolist() == [0.25, 0.75]
    assert table.ids.tolist() == [b"11", b"22", b"33"]
    assert table.titles == ["标题11", "标题22", "标题33"]
    assert table.n_frames.tolist() == [1, 2, 1]
    assert table.number("category_id").values.tolist() == [10001, 10002, 10001]
    assert table.numbers("tag_id").values.tolist() == [1, 7, 2, 7, 1, 7]
    rows = table.rows_of(pairs.id_2)
    frames = FrameReader(table).read(rows, np.array([[1], [0]]), np.ones((2, 1), bool))
    assert frames[:, 0, 0].tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({**THIN, "sim": Feature(FLOAT, [1.5])}, r"sim is float \[1.5\]"),
        ({**THIN, "sim": Feature(FLOAT, [float("nan")])}, r"sim is float \[nan\]"),
        ({**THIN, "sim": Feature(FLOAT, [])}, r"sim is float \[\]"),
        ({**THIN, "sim": Feature(INT64, [1])}, r"sim is int64 \[1\].*one float in \[0, 1\]"),
        ({"id_1": THIN["id_1"], "id_2": THIN["id_2"]}, r"sim is nothing"),
        ({"id_1": THIN["id_1"], "sim": THIN["sim"]}, "field id_2 is missing; there are: id_1, sim"),
        ({**THIN, "id_1": Feature(INT64, [11])}, "field id_1 is 1 int64 values"),
        ({**THIN, "frame_feature_1": Feature(BYTES, [])}, "some pairs of this file hold"),
    ],
)
def test_a_bad_pair_is_named(tmp_path, record, reason):
    path = write(tmp_path / "t.tfrecord", encode_example(THIN), encode_example(record))
    with pytest.raises(RecordError, match=reason) as caught:
        read_pair_file(path)
    assert (caught.value.record, caught.value.path) == (1, path)


def test_a_wrong_frame_in_a_self_contained_pair(tmp_path):
    broken = tf.train.Example.FromString(fat_record("1", "2", 0.5, 0))
    broken.features.feature["frame_feature_2"].bytes_list.value[1] = b"short"
    path = write(tmp_path / "fat.tfrecord", broken.SerializeToString())
    with pytest.raises(
        RecordError, match="frame_feature_2: element 1 has 5 bytes; element 0 has 3072"
    ):
        read_pair_file(path)


def test_take_and_concat():
    pairs = Pairs.from_lists([b"1", b"2"], [b"3", b"4"], [0.5, 1.0])
    longer = Pairs.from_lists([b"555"], [b"6"], [0.0])
    joined = Pairs.concat([pairs.take(np.array([1, 0])), longer])
    assert len(joined) == 3
    assert joined.id_1.tolist() == [b"2", b"1", b"555"]
    assert joined.id_2.tolist() == [b"4", b"3", b"6"]
    assert joined.sim.tolist() == [1.0, 0.5, 0.0]
