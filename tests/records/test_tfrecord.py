"""The framing: what TensorFlow writes is read, every kind of damage is named."""

import os
import subprocess
import sys
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


# --- going on -------------------------------------------------------------------------------------


def read_on(path: Path, expected: int | None = None) -> tuple[list[int], RecordLog]:
    """The numbers of the records that can be read, and what was said of the others."""
    log = RecordLog(skip=True)
    return [record.number for record in iter_records(path, log, expected)], log


def flip(path: Path, *positions: int) -> None:
    data = bytearray(path.read_bytes())
    for position in positions:
        data[position] ^= 0x10
    path.write_bytes(data)


def test_reading_goes_on_behind_damaged_data(path):
    flip(path, STARTS[0] + 12, STARTS[2] + 31)  # the first payload, the last checksum
    numbers, log = read_on(path, expected=3)
    assert numbers == [1]
    assert [(error.record, error.offset) for error in log.bad] == [(0, 0), (2, 37)]
    assert all("damaged data" in error.reason for error in log.bad)


@pytest.mark.parametrize("position", [0, 7, 8, 11])
def test_reading_cannot_go_on_behind_a_damaged_length(path, position):
    flip(path, STARTS[0] + 12, STARTS[1] + position)
    numbers, log = read_on(path, expected=3)
    assert numbers == []
    assert [(error.record, error.offset) for error in log.bad] == [(0, 0), (1, 21)]
    assert "the file cannot be read from here on (48 bytes)" in log.bad[1].reason


def test_truncated_between_two_records_is_found_by_the_count(path):
    path.write_bytes(path.read_bytes()[: STARTS[2]])
    assert len(list(iter_records(path))) == 2, "nothing in the file itself tells"
    with pytest.raises(RecordError, match="ends after 2 records, but 3 were written: truncated"):
        list(iter_records(path, expected=3))
    numbers, log = read_on(path, expected=3)
    assert (numbers, log.bad[0].record, log.bad[0].offset) == ([0, 1], 2, 37)
    with pytest.raises(RecordError, match="ends after 2 records, but 1 were written: not the file"):
        list(iter_records(path, expected=1))


@pytest.mark.parametrize("content", [None, b""])
def test_what_has_no_record_at_all_is_never_skipped(tmp_path, content):
    path = tmp_path / "none.tfrecords"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordError):
        read_on(path)


@pytest.mark.parametrize("kind", ["GZIP", "ZLIB"])
def test_compressed_by_tensorflow_and_unpacked_by_the_command_of_the_message(tmp_path, kind):
    path = tmp_path / "it's [1].tfrecords"
    options = tf.io.TFRecordOptions(compression_type=kind, compression_level=3)
    with tf.io.TFRecordWriter(str(path), options) as writer:
        for payload in PAYLOADS:
            writer.write(payload)
    with pytest.raises(RecordError, match=f"a file compressed with {kind}; vidsim reads unco") as e:
        list(iter_records(path))
    command = str(e.value).split("TFRecords: ")[1]
    folder = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-c", command], check=True, env=environment)
    assert [record.payload for record in iter_records(path)] == list(PAYLOADS)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html><html>", "a page of HTML"),
        (b"PAR1" * 9, "a Parquet file"),
        (b"BZh91AY&SY", "compressed with bzip2"),
        (b"x\x9cno zlib stream at all", "damaged, or not a TFRecord file; the file cannot be read"),
    ],
)
def test_files_of_other_kinds(path, content, what):
    path.write_bytes(content)
    with pytest.raises(RecordError, match=what):
        list(iter_records(path))
    path.write_bytes(frame_record(b"a record") + content)  # further on these bytes say nothing
    with pytest.raises(RecordError, match=r"record 1 .*(truncated|damaged, or not)"):
        list(iter_records(path))
