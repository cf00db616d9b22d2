"""The table of videos: equal to TensorFlow's own parsing, every bad record named, index kept."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from vidsim.errors import VidsimError
from vidsim.records import index_file, sidecar
from vidsim.records.fields import FIELDS
from vidsim.records.tfrecord import frame_record
from vidsim.records.video_table import VideoTable, load_videos, video_files
from vidsim.records.wire import BYTES, INT64, Feature, encode_example
from vidsim.records.writer import write_videos

FRAME = bytes(3072)
GOOD = {
    "id": Feature(BYTES, [b"7"]),
    "title": Feature(BYTES, ["好".encode()]),
    "frame_feature": Feature(BYTES, [FRAME, FRAME]),
    "tag_id": Feature(INT64, [3, 1]),
    "category_id": Feature(INT64, [10102]),
}


def tags_of(table: VideoTable, row: int) -> list[int]:
    tags = table.numbers("tag_id")
    return tags.values[tags.splits[row] : tags.splits[row + 1]].tolist()


def write(path: Path, *records: dict[str, Feature]) -> Path:
    path.write_bytes(b"".join(frame_record(encode_example(record)) for record in records))
    return path


def without(name: str) -> dict[str, Feature]:
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.fixture
def table(tmp_path, make_video) -> VideoTable:
    write_videos(tmp_path / "a.tfrecords", [make_video(0, tags=(5, 6)), make_video(1, 0)])
    write_videos(tmp_path / "b.tfrecords", [make_video(2, 3, tags=(7,), category=10203)])
    return load_videos([tmp_path / "a.tfrecords", tmp_path / "b.tfrecords"])


@pytest.mark.parametrize("name", ["pairwise/pairwise.tfrecords", "test_b/test_b.tfrecords"])
def test_parity_with_tensorflow_on_the_sample(sample, name):
    table = load_videos(sample / name)
    ragged = tf.io.RaggedFeature
    spec = {
        "id": tf.io.FixedLenFeature((), tf.string),
        "title": tf.io.FixedLenFeature((), tf.string),
        "category_id": tf.io.FixedLenFeature((), tf.int64, -1),
        "tag_id": ragged(tf.int64, row_splits_dtype=tf.int64),
        "frame_feature": ragged(tf.string, row_splits_dtype=tf.int64),
    }
    records = list(tf.data.TFRecordDataset(str(sample / name)).as_numpy_iterator())
    theirs = tf.io.parse_example(records, spec)
    assert len(table) == len(records) > 0
    assert table.ids.tolist() == theirs["id"].numpy().tolist()
    assert [title.encode() for title in table.titles] == theirs["title"].numpy().tolist()
    assert table.number("category_id").values.tolist() == theirs["category_id"].numpy().tolist()
    tags = table.numbers("tag_id")
    assert tags.values.tolist() == theirs["tag_id"].values.numpy().tolist()
    assert tags.splits.tolist() == theirs["tag_id"].row_splits.numpy().tolist()
    assert table.n_frames.tolist() == theirs["frame_feature"].row_lengths().numpy().tolist()


def test_derived_columns(table):
    assert len(table) == 3
    assert table.ids.tolist() == [b"100", b"101", b"102"]
    assert table.titles == ["标题0", "标题1", "标题2"]
    assert [tags_of(table, row) for row in range(3)] == [[5, 6], [], [7]]
    assert table.number("category_id").values.tolist() == [-1, -1, 10203]
    assert table.number("category_id").present.tolist() == [False, False, True]
    assert table.n_frames.tolist() == [2, 0, 3]
    assert table.places.file_no.tolist() == [0, 0, 1]
    frames = table.stream("frame_feature")
    assert (frames.width, frames.stride) == (1536, 3075)  # tag, two bytes of length, the frame
    assert [path.name for path in table.paths] == ["a.tfrecords", "b.tfrecords"]
    data = table.paths[1].read_bytes()
    first = np.frombuffer(data, "<f2", 1536, frames.offset[2])
    assert (first == 2).all()


def test_rows_of(table):
    assert table.rows_of([b"102", b"100", b"102"]).tolist() == [2, 0, 2]
    assert table.rows_of(["101"]).tolist() == [1]
    assert table.rows_of(np.array(["101"])).tolist() == [1]
    assert table.rows_of([]).tolist() == []


def test_missing_ids_are_named(table):
    wanted = [b"100", b"999999", b"1", b"999999", *(b"x%d" % i for i in range(9))]
    with pytest.raises(VidsimError) as caught:
        table.rows_of(wanted)
    message = str(caught.value)
    assert message.startswith("11 video ids are not among the 3 videos of ")
    assert "a.tfrecords" in message and "b.tfrecords" in message
    assert message.endswith(": '999999', '1', 'x0', 'x1', 'x2', ...")
    with pytest.raises(VidsimError, match="1 video ids are not among the 0 videos"):
        table.take(np.array([], int)).rows_of([b"1"])


def test_take_and_concat(table):
    part = table.take(np.array([2, 0, 0]))
    assert part.ids.tolist() == [b"102", b"100", b"100"]
    assert part.titles == ["标题2", "标题0", "标题0"]
    assert [tags_of(part, row) for row in range(3)] == [[7], [5, 6], [5, 6]]
    both = VideoTable.concat([part, table])
    assert [tags_of(both, row) for row in range(6)] == [[7], [5, 6], [5, 6], [5, 6], [], [7]]
    assert both.places.file_no.tolist() == [1, 0, 0, 2, 2, 3]
    assert both.paths == table.paths * 2
    for name in ("record_no", "record_offset", "record_bytes", "checksums"):
        assert getattr(both.places, name)[3:].tolist() == getattr(table.places, name).tolist()
    for name in FIELDS:
        later = both.columns[name].take(np.arange(3, 6))
        for member, array in table.columns[name].arrays().items():
            assert later.arrays()[member].tolist() == array.tolist(), (name, member)


def test_digest_follows_the_content_only(tmp_path, make_video):
    videos = [make_video(0, tags=(5,)), make_video(1)]

    def digest(name: str, *changed) -> str:
        path = tmp_path / name / "x.tfrecords"
        write_videos(path, changed or videos)
        os.utime(path, ns=(1, len(name)))
        return load_videos(path).digest

    same = digest("here")
    assert same == digest("elsewhere") and len(same) == 64
    others = [
        digest("id", replace(videos[0], id="9"), videos[1]),
        digest("title", replace(videos[0], title="标题!"), videos[1]),
        digest("tags", replace(videos[0], tags=(6,)), videos[1]),
        digest("frames", replace(videos[0], frames=videos[0].frames + 1), videos[1]),
        digest("order", videos[1], videos[0]),
        digest("fewer", videos[0]),
    ]
    assert len({same, *others}) == 7


def test_a_title_of_a_million_characters_is_a_title(tmp_path):
    title = "好" * 1_000_000
    long = {**GOOD, "title": Feature(BYTES, [title.encode()])}
    path = write(tmp_path / "long.tfrecords", long)
    for _ in ("from the file", "from its index"):
        assert load_videos(path).titles == [title]


def test_an_id_in_many_files_is_found_in_the_first(tmp_path):
    other = write(tmp_path / "other.tfrecords", {**GOOD, "id": Feature(BYTES, [b"6"])})
    same = write(tmp_path / "same.tfrecords", GOOD)
    assert load_videos([other, *[same] * 40]).rows_of([b"7", b"6"]).tolist() == [1, 0]


def test_files_in_natural_order_and_nothing_found(tmp_path):
    for number in (10, 2, 1):
        (tmp_path / f"pretrain_{number}.tfrecords").touch()
    found = video_files(f"{tmp_path}/pretrain_*.tfrecords")
    assert [path.name for path in found] == [f"pretrain_{n}.tfrecords" for n in (1, 2, 10)]
    with pytest.raises(VidsimError, match=r"no file matches .*other\*"):
        video_files(tmp_path / "other*")
    odd = tmp_path / "a[1].tfrecords"  # a name that is no pattern
    odd.touch()
    assert video_files(odd) == [odd]
    with pytest.raises(VidsimError, match="no TFRecord file"):
        load_videos([])


def test_index_is_used_and_made_anew_when_the_file_changes(tmp_path, make_video, monkeypatch):
    path = tmp_path / "v.tfrecords"
    write_videos(path, [make_video(0, tags=(1,))])
    made = load_videos(path)
    index = tmp_path / "v.tfrecords.index.npz"
    assert index.exists()
    with monkeypatch.context() as patch:
        patch.setattr(sidecar, "read_videos", None)  # a call would fail
        used = load_videos(path)
    assert used.ids.tolist() == made.ids.tolist()
    for name in FIELDS:
        for member, array in made.columns[name].arrays().items():
            again = used.columns[name].arrays()[member]
            assert again.dtype == array.dtype and again.tolist() == array.tolist(), (name, member)
    assert (used.titles, used.digest) == (made.titles, made.digest)

    stat = path.stat()
    write_videos(path, [make_video(3, tags=(1,))])  # of the same size
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert load_videos(path).ids.tolist() == [b"103"]
    with monkeypatch.context() as patch:
        patch.setattr(index_file, "INDEX_FORMAT", index_file.INDEX_FORMAT + 1)
        patch.setattr(sidecar, "read_videos", lambda *_: pytest.fail("read again"))
        with pytest.raises(pytest.fail.Exception, match="read again"):
            load_videos(path)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half a file", None])
def test_damaged_index_is_replaced(tmp_path, make_video, damage):
    path = tmp_path / "v.tfrecords"
    write_videos(path, [make_video(0)])
    load_videos(path)
    index = tmp_path / "v.tfrecords.index.npz"
    whole = index.read_bytes()
    index.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert load_videos(path).ids.tolist() == [b"100"]
    assert len(index.read_bytes()) == len(whole)


def test_index_goes_to_the_cache_where_the_folder_cannot_be_written(
    tmp_path, make_video, monkeypatch
):
    path = tmp_path / "data" / "v.tfrecords"
    write_videos(path, [make_video(0)])
    save = index_file.atomic_file

    def refuse(place: Path):
        if place.parent == path.parent:
            raise PermissionError(place)
        return save(place)

    monkeypatch.setattr(index_file, "atomic_file", refuse)
    load_videos(path, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.name.startswith("v.tfrecords-") and kept.name.endswith(".index.npz")
    assert [item.name for item in path.parent.iterdir()] == ["v.tfrecords"]
    monkeypatch.setattr(sidecar, "read_videos", None)
    assert load_videos(path, tmp_path / "cache").ids.tolist() == [b"100"]


def test_without_any_place_for_an_index_it_still_works(tmp_path, make_video, monkeypatch, caplog):
    path = tmp_path / "v.tfrecords"
    write_videos(path, [make_video(0)])
    monkeypatch.setattr(sidecar, "write_index", lambda *_: False)
    assert load_videos(path).ids.tolist() == [b"100"]
    assert "could not be kept" in caplog.text


def test_index_moves_with_its_file(tmp_path, make_video, monkeypatch):
    write_videos(tmp_path / "old" / "v.tfrecords", [make_video(0)])
    load_videos(tmp_path / "old" / "v.tfrecords")
    shutil.move(tmp_path / "old", tmp_path / "new")
    monkeypatch.setattr(sidecar, "read_videos", None)
    table = load_videos(tmp_path / "new" / "v.tfrecords")
    assert table.paths == (tmp_path / "new" / "v.tfrecords",)
