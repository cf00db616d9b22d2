"""The fields of a record: what is read of each kind, what may be absent, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.records import sidecar
from vidsim.records.fields import FIELDS
from vidsim.records.frame_reader import FrameReader
from vidsim.records.number_fields import Number
from vidsim.records.record_error import RecordError
from vidsim.records.stream_field import Stream
from vidsim.records.tfrecord import frame_record
from vidsim.records.video import Video
from vidsim.records.video_table import VideoTable, load_videos
from vidsim.records.wire import BYTES, EMPTY, FLOAT, INT64, Feature, encode_example
from vidsim.records.writer import write_videos

FRAME = bytes(3072)
GOOD = {
    "id": Feature(BYTES, [b"7"]),
    "title": Feature(BYTES, ["好".encode()]),
    "frame_feature": Feature(BYTES, [FRAME, FRAME]),
    "tag_id": Feature(INT64, [3, 1]),
    "category_id": Feature(INT64, [10102]),
}


def write(path: Path, *records: dict[str, Feature]) -> Path:
    path.write_bytes(b"".join(frame_record(encode_example(record)) for record in records))
    return path


def without(name: str) -> dict[str, Feature]:
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (without("id"), "field id is missing; there are: category_id, frame_feature, tag_id"),
        ({}, "field id is missing; there are: none"),
        ({**GOOD, "id": Feature(INT64, [7])}, "field id is 1 int64 values; 1 bytes value"),
        ({**GOOD, "id": Feature(BYTES, [b""])}, "id is b''"),
        ({**GOOD, "id": Feature(BYTES, [b"1\0"])}, "id is b'1\\x00'; a text of 1 to 256 bytes"),
        ({**GOOD, "id": Feature(BYTES, [b"\xff"])}, "in UTF-8, without NUL, is expected"),
        ({**GOOD, "id": Feature(BYTES, [b"9" * 257])}, "... of 257 bytes; a text of 1 to 256"),
        ({**GOOD, "title": Feature(BYTES, [b"a", b"b"])}, "field title is 2 bytes values; 1 bytes"),
        ({**GOOD, "title": Feature(INT64, [1])}, "field title is 1 int64 values"),
        ({**GOOD, "ocr_text": Feature(BYTES, [b"\xff"])}, "ocr_text is not UTF-8"),
        ({**GOOD, "title": Feature(BYTES, [b"\xff"])}, "title is not UTF-8"),
        ({**GOOD, "tag_id": Feature(FLOAT, [1.0])}, "field tag_id is of type float"),
        ({**GOOD, "category_id": Feature(INT64, [1, 2])}, "category_id has 2 values"),
        ({**GOOD, "frame_feature": Feature(INT64, [1])}, "frame_feature is of type int64"),
        (
            {**GOOD, "frame_feature": Feature(BYTES, [FRAME, FRAME, FRAME, FRAME[:3070]])},
            "element 3 has 3070 bytes; element 0 has 3072 bytes = 1536 float16 numbers",
        ),
        ({**GOOD, "frame_feature": Feature(BYTES, [b"123"])}, "element 0 has 3 bytes; a vector of"),
        ({**GOOD, "frame_feature": Feature(BYTES, [b""])}, "element 0 has 0 bytes; a vector of"),
        (
            {**GOOD, "frame_feature": Feature(BYTES, [bytes(1024)])},
            "frame_feature: vectors of 512 numbers; those before it have 1536",
        ),
        (
            {**GOOD, "region_box": Feature(BYTES, [bytes(8)])},
            "region_box: vectors of 4 numbers; expected are 5",
        ),
        ({**GOOD, "action_label": Feature(BYTES, [b"1"])}, "action_label is of type bytes"),
    ],
)
def test_a_bad_record_is_named(tmp_path, record, reason):
    path = write(tmp_path / "bad.tfrecords", GOOD, record)
    with pytest.raises(RecordError) as caught:
        load_videos(path)
    assert reason in caught.value.reason
    assert caught.value.record == 1
    assert caught.value.offset == len(frame_record(encode_example(GOOD)))
    assert str(path) in str(caught.value)


def test_what_may_be_absent(tmp_path):
    bare = {name: GOOD[name] for name in ("id", "title")} | {"frame_feature": Feature(EMPTY, ())}
    table = load_videos(write(tmp_path / "bare.tfrecords", bare))
    assert table.n_frames[0] == 0 and not table.has("tag_id")
    assert table.number("category_id").values.tolist() == [-1]
    only_id = load_videos(write(tmp_path / "id.tfrecords", {"id": GOOD["id"]}))
    assert only_id.titles == [""] and only_id.n_frames.tolist() == [0]
    assert not any(only_id.has(name) for name in FIELDS)
    assert only_id.width("frame_feature") is None


def ramp(count: int, width: int, start: int = 0) -> np.ndarray:
    """(count, width) float16, all different and exact."""
    return ((start + np.arange(count * width)).reshape(count, width) / 8).astype(np.float16)


EVERYTHING = Video(
    "1",
    "标题",
    ramp(3, 512),
    (4, 2),
    10203,
    "speech",
    {
        "ocr_text": "文字",
        "action_feature": ramp(2, 7, 100),
        "region_feature": ramp(4, 9, 200),
        "region_box": ramp(4, 5, 300),
        "region_class": ramp(4, 6, 400),
        "action_label": [8, -(1 << 63)],
    },
)


def test_every_field_comes_back_as_it_was_written(tmp_path):
    """From the file and from its index; and a video of which nothing but an id is known."""
    path = tmp_path / "v.tfrecords"
    write_videos(path, [Video("0"), EVERYTHING])
    for _ in ("from the file", "from its index"):
        table = load_videos(path)
        assert all(table.has(name) for name in FIELDS) and not table.columns.loaded
        for name, value in EVERYTHING.content().items():
            kind, column = FIELDS[name], table.columns[name]
            assert table.columns.loaded >= {name} and len(column) == 2
            if kind.in_place:
                assert table.width(name) == value.shape[1]
                mask = np.arange(5) < table.stream(name).count[:, None]
                index = np.broadcast_to(np.arange(5), (2, 5))
                read = FrameReader(table, name).read(np.arange(2), index, mask)
                np.testing.assert_array_equal(read[1][mask[1]], value)
                assert not mask[0].any()
            elif isinstance(value, str):
                assert list(table.text(name)) == ["", value]
            elif isinstance(value, int):
                assert table.number(name).values.tolist() == [-1, value]
                assert table.number(name).present.tolist() == [False, True]
            else:
                assert table.numbers(name).splits.tolist() == [0, 0, len(value)]
                assert table.numbers(name).values.tolist() == list(value)


def test_a_field_of_ones_own_is_registered_written_indexed_and_read(tmp_path, monkeypatch):
    """One line each; an index that was made before the field was known is made anew, once."""
    path = tmp_path / "v.tfrecords"
    with monkeypatch.context() as patch:
        patch.setitem(FIELDS, "audio", Stream())
        patch.setitem(FIELDS, "views", Number())
        write_videos(path, [Video("1", "a"), Video("2", more={"audio": ramp(2, 3), "views": 9})])
    assert load_videos(path).titles == ["a", ""]  # makes an index that knows of neither
    with pytest.raises(KeyError, match="'views' is no field; fields are tag_id, frame_feature"):
        load_videos(path).has("views")
    monkeypatch.setitem(FIELDS, "audio", Stream())
    monkeypatch.setitem(FIELDS, "views", Number())
    for _ in ("by the old index", "by the new one"):
        table = load_videos(path)
        assert table.width("audio") == 3 and table.number("views").values.tolist() == [-1, 9]
        read = FrameReader(table, "audio").read(np.array([1]), np.array([[1]]), np.array([[True]]))
        np.testing.assert_array_equal(read[0, 0], ramp(2, 3)[1])
        monkeypatch.setattr(sidecar, "read_videos", lambda *_: pytest.fail("read again"))


def test_files_of_two_widths_are_not_one_data_set(tmp_path, make_video):
    paths = [tmp_path / name for name in ("a.tfrecords", "none.tfrecords", "b.tfrecords")]
    for path, frames in zip(paths, (ramp(1, 512), None, ramp(2, 768)), strict=True):
        write_videos(path, [Video(path.name, frames=frames)])
    assert load_videos(paths[:2]).width("frame_feature") == 512
    with pytest.raises(VidsimError) as caught:
        load_videos(paths)
    said = str(caught.value)
    assert f"{paths[0]} have 512 numbers and those of {paths[2]} have 768" in said
    with pytest.raises(ValueError, match="vectors of 768 numbers, and those of 1 have 512"):
        write_videos(paths[0], [Video("1", frames=ramp(1, 512)), Video("2", frames=ramp(1, 768))])


def test_what_cannot_be_written_is_named(tmp_path):
    wrong = [
        ({"title": 3}, "title of 1: int; a text"),
        ({"title": "\ud800"}, "title of 1: no text that UTF-8 can hold"),
        ({"tags": (1.5,)}, "tag_id of 1: 1.5; integers"),
        ({"category": 1 << 63}, "category_id of 1: 9223372036854775808; integers"),
        (
            {"more": {"region_box": ramp(1, 4)}},
            r"region_box of 1: float16 \(1, 4\); float16 \(n, 5\)",
        ),
        ({"more": {"sound": 1}}, "sound: fields are tag_id, frame_feature"),
    ]
    for values, said in wrong:
        with pytest.raises(ValueError, match=said):
            write_videos(tmp_path / "v", [Video("1", **values)])
    assert list(tmp_path.iterdir()) == []


def test_a_table_loads_what_it_is_asked_for(tmp_path):
    """Its digest too needs no column to stay; and a part of it has the same fields."""
    path = tmp_path / "v.tfrecords"
    write_videos(path, [Video("0"), EVERYTHING])
    table: VideoTable = load_videos(path)
    assert len(table.digest) == 64 and not table.columns.loaded
    part = table.take(np.array([1]))
    assert part.titles == ["标题"] and part.columns.loaded == {"title"}
    assert not table.columns.loaded
