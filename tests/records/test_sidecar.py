"""The index remembers what is bad, and tells when a file has lost its end or is gone."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.records import sidecar
from vidsim.records.index_file import read_index
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import iter_records
from vidsim.records.video_table import load_videos
from vidsim.records.writer import write_videos


@pytest.fixture
def path(tmp_path, make_video) -> Path:
    """Five videos, of 0 to 4 frames."""
    path = tmp_path / "v.tfrecords"
    write_videos(
        path, [make_video(number, number, tags=(number, 7), category=1) for number in range(5)]
    )
    return path


def damage(path: Path, *records: int) -> None:
    """Flips a byte in the payload of some records."""
    offsets = [record.offset for record in iter_records(path)]
    data = bytearray(path.read_bytes())
    for record in records:
        data[offsets[record] + 5] ^= 1
    path.write_bytes(data)


def skip(path: Path) -> tuple[list[bytes], list[int]]:
    """The ids that are read and the records that are skipped."""
    log = RecordLog(skip=True)
    table = load_videos(path, log=log)
    assert table.skipped == len(log.bad)
    return table.ids.tolist(), [error.record for error in log.bad]


def test_bad_records_are_skipped_and_all_are_listed(path):
    damage(path, 1, 3)
    assert skip(path) == ([b"100", b"102", b"104"], [1, 3])


def test_an_index_made_by_skipping_hides_nothing(path, monkeypatch):
    damage(path, 1, 3)
    with pytest.raises(RecordError) as from_file:
        load_videos(path)
    from_file_skipped = skip(path)
    monkeypatch.setattr(sidecar, "read_videos", None)  # from here on only the index is read
    with pytest.raises(RecordError) as from_index:
        load_videos(path)
    assert str(from_index.value) == str(from_file.value)
    assert skip(path) == from_file_skipped


def test_a_mended_file_is_read_anew(path, make_video):
    whole = path.read_bytes()
    damage(path, 2)
    skip(path)
    path.write_bytes(whole)
    os.utime(path, ns=(1, 1))
    assert len(load_videos(path)) == 5


def test_a_file_of_which_nothing_can_be_read_is_never_skipped(path):
    damage(path, 0, 1, 2, 3, 4)
    with pytest.raises(RecordError, match="record 0 "):
        skip(path)
    assert not list(path.parent.glob("*.npz"))


def test_a_nan_is_found_when_the_index_is_made(path, make_video):
    frames = np.zeros((3, 1536), np.float16)
    frames[1, 7] = np.nan
    write_videos(path, [make_video(0), make_video(1, frames=frames)])
    with pytest.raises(RecordError) as caught:
        load_videos(path)
    assert caught.value.record == 1
    assert caught.value.reason == (
        "frame_feature: element 1 has 1 numbers that are NaN or infinite; every number must be "
        "finite"
    )


def cut(path: Path, videos: int) -> None:
    """Leaves only the first videos: whole records, nothing of it odd in itself."""
    end = [record.start for record in iter_records(path)][videos]
    path.write_bytes(path.read_bytes()[:end])


def test_videos_lost_at_the_end_are_missed(path):
    load_videos(path)
    cut(path, 3)
    for _ in range(2):
        with pytest.raises(RecordError) as caught:
            load_videos(path)
        assert (caught.value.record, caught.value.offset) == (3, path.stat().st_size)
        assert "ends after 3 records, but its index knows 2 more videos" in caught.value.reason
    assert skip(path) == ([b"100", b"101", b"102"], [3])
    with pytest.raises(RecordError, match="knows 2 more videos"):
        load_videos(path)
    path.with_name("v.tfrecords.index.npz").unlink()  # as the message says
    assert len(load_videos(path)) == 3


def test_videos_lost_behind_a_bad_record_are_missed_too(path):
    damage(path, 1)
    assert skip(path) == ([b"100", b"102", b"103", b"104"], [1])
    end = [r.start for r in iter_records(path, RecordLog(skip=True))][2]
    path.write_bytes(path.read_bytes()[:end])
    assert skip(path) == ([b"100", b"102"], [1, 3])


def test_what_cannot_be_read_is_not_lost_as_well(path):
    """A damaged length hides the records behind it; that is one mistake, not two."""
    load_videos(path)
    start = [record.start for record in iter_records(path)][3]
    data = bytearray(path.read_bytes())
    data[start] ^= 1
    path.write_bytes(data)
    assert skip(path) == ([b"100", b"101", b"102"], [3])


def test_another_file_may_be_shorter(path, make_video):
    load_videos(path)
    write_videos(path, [make_video(9)])
    assert load_videos(path).ids.tolist() == [b"109"]


def test_a_file_that_is_gone_is_missed(path, make_video):
    write_videos(path.with_name("w.tfrecords"), [make_video(7)])
    pattern = f"{path.parent}/*.tfrecords"
    assert len(load_videos(pattern)) == 6
    path.unlink()
    with pytest.raises(VidsimError, match=r"v\.tfrecords: there is no such file, but an index"):
        load_videos(pattern)
    path.with_name("v.tfrecords.index.npz").unlink()
    assert load_videos(pattern).ids.tolist() == [b"107"]


def test_an_index_is_no_file_of_videos(path):
    load_videos(path)
    assert len(load_videos(f"{path.parent}/v.*")) == 5


# --- An index that came with the data -------------------------------------------------------------


def other(stored: dict[str, np.ndarray], name: str, value) -> dict[str, np.ndarray]:
    return stored | {name: np.asarray(value)}


def changed(name: str, change):
    return lambda stored: other(stored, name, change(stored[name]))


def header(**of_frames):
    def change(packed):
        content = json.loads(packed.tobytes())
        content["frame_feature"] |= of_frames
        return np.frombuffer(json.dumps(content).encode(), np.uint8)

    return changed("fields", change)


CHANGES = {
    "a frame outside of the file": changed("frame_feature.offset", lambda v: v + (1 << 40)),
    "a frame before the file": changed("frame_feature.offset", np.negative),
    "more frames than the file has": changed("frame_feature.count", lambda v: v + np.int32(9)),
    "frames wider than the file": header(width=1 << 20),
    "frames of no width": header(width=None),
    "frames of a negative width": header(width=-1536),
    "frames that are numbers": header(kind="numbers"),
    "frames of no known kind": header(kind="picture"),
    "no fields": changed("fields", lambda v: np.frombuffer(b"[]", np.uint8)),
    "a record outside of the file": changed("record_bytes", lambda v: v + 99999),
    "a column less": lambda s: {name: s[name] for name in s if name != "tag_id.values"},
    "a column more": lambda s: other(s, "skipped", 1),
    "another type": changed("category_id.values", lambda v: v.astype("float64")),
    "another shape": changed("category_id.values", lambda v: v[:, None]),
    "a row less": changed("checksums", lambda v: v[1:]),
    "titles that overlap": changed("title.splits", lambda v: v[::-1]),
    "a title that ends in a character": changed("title.splits", lambda v: v + (v == v[1])),
    "a title that is no text": changed("title.data", lambda v: v | 0x80),
    "tags that are not there": changed("tag_id.splits", lambda v: v + np.arange(6)),
    "an id that is no text": lambda s: other(s, "ids", [b"\xff"] * 5),
    "no list of bad records": changed("bad_records", lambda v: np.frombuffer(b"[[1]]", np.uint8)),
    "deeply nested bad records": changed("bad_records", lambda v: np.full(9999, 91, np.uint8)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_index_that_lies_is_replaced(path, change, monkeypatch):
    expected = load_videos(path)
    place = path.with_name(f"{path.name}.index.npz")
    with np.load(place) as stored:
        columns = dict(stored)
    np.savez(place, **columns)
    with monkeypatch.context() as patch:
        patch.setattr(sidecar, "read_videos", None)
        assert load_videos(path).digest == expected.digest  # written so, it is used
    np.savez(place, **change(columns))
    table = load_videos(path)
    assert table.digest == expected.digest
    offsets = [t.stream("frame_feature").offset.tolist() for t in (table, expected)]
    assert offsets[0] == offsets[1]
    assert table.number("category_id").values.tolist() == [1] * 5
    assert table.width("frame_feature") == 1536


def test_a_packed_index_is_not_unpacked(path):
    """A thousandth of the bytes would do to fill the memory."""
    load_videos(path)
    place = path.with_name(f"{path.name}.index.npz")
    with np.load(place) as stored:
        columns = dict(stored)
    np.savez_compressed(place, **columns)
    assert read_index(place) is None
    load_videos(path)
    assert read_index(place) is not None


def test_an_index_that_announces_petabytes(path):
    """Its columns are empty and say that they have 2**50 numbers."""
    expected = load_videos(path).digest
    place = path.with_name(f"{path.name}.index.npz")
    with np.load(place) as stored:
        columns = dict(stored)
    with zipfile.ZipFile(place, "w") as archive:
        for name, column in columns.items():
            header = np.lib.format.header_data_from_array_1_0(column) | {"shape": (1 << 50,)}
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array_header_1_0(member, header)
    assert load_videos(path).digest == expected
