"""The framing: what TensorFlow writes is read, every kind of damage is named."""

from pathlib import Path

import pytest
import tensorflow as tf

from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import frame_record, iter_records

PAYLOADS = (b"first", b"", b"the third record")
STARTS = (0, 21, 37)  # 12 bytes of header, 4 of footer around each payload


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "some.tfrecords"
    path.write_bytes(b"".join(map(frame_record, PAYLOADS)))
    return path


def test_derived_checksum():
    """The check value of crc32c over "123456789" is E3069283 by its definition.

    Rotated right by 15 bits it is 2507C60D; plus A282EAD8 it is C78AB0E5, stored lowest byte first.
    """
    assert frame_record(b"123456789").endswith(b"123456789\xe5\xb0\x8a\xc7")


def test_derived_places(path):
    records = list(iter_records(path))
    assert [record.number for record in records] == [0, 1, 2]
    assert tuple(record.start for record in records) == STARTS
    assert [record.offset for record in records] == [start + 12 for start in STARTS]
    assert tuple(record.payload for record in records) == PAYLOADS


def test_parity_with_tensorflow_both_ways(path, tmp_path):
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(path))] == list(PAYLOADS)
    theirs = tmp_path / "theirs.tfrecords"
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for payload in PAYLOADS:
            writer.write(payload)
    assert theirs.read_bytes() == path.read_bytes()
    assert [record.payload for record in iter_records(theirs)] == list(PAYLOADS)


@pytest.mark.parametrize("position", range(16 + 16))
def test_any_flipped_byte_of_the_last_record_is_found(path, position):
    data = bytearray(path.read_bytes())
    data[STARTS[2] + position] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(RecordError) as caught:
        list(iter_records(path))
    assert (caught.value.record, caught.value.offset, caught.value.path) == (2, 37, path)
    part = "length" if position < 12 else "its 16 bytes"
    assert part in caught.value.reason


@pytest.mark.parametrize("kept", range(1, 32))
def test_any_truncation_within_a_record_is_found(path, kept):
    path.write_bytes(path.read_bytes()[: STARTS[2] + kept])
    with pytest.raises(RecordError, match="truncated") as caught:
        list(iter_records(path))
    assert (caught.value.record, caught.value.offset) == (2, 37)
    assert f"{kept} " in caught.value.reason


def test_message_names_file_record_offset_and_reason(path):
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordError) as caught:
        list(iter_records(path))
    assert str(caught.value) == (
        f"{path}: record 2 (at byte 37): truncated: 32 bytes announced, 31 are there; "
        "the file cannot be read from here on (31 bytes)"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n", "git lfs pull"),
        (b"", "empty"),
        (b"some text that is no record at all", "not a TFRecord file"),
    ],
)
def test_what_is_no_tfrecord_file(tmp_path, content, reason):
    path = tmp_path / "odd.tfrecords"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=reason) as caught:
        list(iter_records(path))
    assert caught.value.record == caught.value.offset == 0


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(RecordError, match=r"gone\.tfrecords.*no such file"):
        list(iter_records(tmp_path / "gone.tfrecords"))
    with pytest.raises(RecordError, match="cannot be read"):
        list(iter_records(tmp_path))
