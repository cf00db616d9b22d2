"""vidsim.write_videos: rows in memory to records, and what is refused of them."""

import re

import numpy as np
import pytest

import vidsim
from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.video_table import load_videos

FRAMES = np.arange(6.0).reshape(2, 3)


def test_every_key_is_read_back(tmp_path):
    """A generator of rows; of the same video by its short names and by the fields' own."""
    full = {"id": "a", "title": "t", "asr_text": "s", "frames": FRAMES, "tags": [3, 4]}
    full |= {"category": np.int64(7), "region_box": np.ones((1, 5)), "ocr_text": None}
    names = {"frames": "frame_feature", "tags": "tag_id", "category": "category_id"}
    again = {names.get(key, key): value for key, value in full.items()} | {"id": "b"}
    rows = (row for row in ({"id": "none"}, full, again, {"id": "empty", "frames": []}))
    assert vidsim.write_videos(tmp_path / "new" / "a.tfrecords", rows) == 4
    table = load_videos(tmp_path / "new" / "a.tfrecords")
    assert table.ids.tolist() == [b"none", b"a", b"b", b"empty"]
    assert table.n_frames.tolist() == [0, 2, 2, 0] and table.width(schema.FRAME_FEATURE) == 3
    assert list(table.titles) == ["", "t", "t", ""]
    assert table.numbers(schema.TAG_ID).values.tolist() == [3, 4, 3, 4]
    assert table.number(schema.CATEGORY_ID).values.tolist() == [-1, 7, 7, -1]
    assert table.width(schema.REGION_BOX) == 5 and not table.has(schema.OCR_TEXT)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"title": "t"}, "id is 'None'"),
        ({"id": 3}, "id is '3'"),
        ({"id": "a"}, "id 'a' again"),
        ({"id": "b", "titel": "t"}, "key 'titel' is not known; accepted are id, frames, tags"),
        (["b"], "is no mapping"),
        ({"id": "b", "title": 3}, "title of b: int; a text"),
        ({"id": "b", "frames": np.ones((1, 4))}, "frame_feature: vectors of 4 numbers, and those"),
        ({"id": "b", "frames": np.ones(3)}, "frame_feature: features of shape (3,); (n, d) is"),
        ({"id": "b", "frames": [[1, np.nan, 2]]}, "frame 0 has nan in column 1"),
        ({"id": "b", "frames": [[1, 2, 70000]]}, "frame 0 has 70000 in column 2"),
        ({"id": "b", "frames": "abc"}, "frame_feature: features of type <U3"),
        ({"id": "b", "tags": 3}, "tag_id is '3'; a list of integers"),
        ({"id": "b", "tags": ["x"]}, "tag_id of b: 'x'; integers of 64 bits"),
        ({"id": "b", "category": 1.5}, "category_id of b: 1.5; integers"),
    ],
)
def test_a_row_that_is_refused_is_named_and_nothing_is_written(tmp_path, row, message):
    path = tmp_path / "a.tfrecords"
    with pytest.raises(VidsimError, match=re.escape(message)) as caught:
        vidsim.write_videos(path, [{"id": "a", "frames": FRAMES}, row])
    assert str(caught.value).startswith("write_videos: row 1: ")
    assert not path.exists()


def test_no_row_at_all(tmp_path):
    with pytest.raises(VidsimError, match="no row"):
        vidsim.write_videos(tmp_path / "a.tfrecords", [])
