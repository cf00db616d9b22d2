"""Whether an index can be believed: it lies about beside the data, and may have come with them.

What it says of ids, titles and tags is taken; what it says of places in the file is checked.
"""

from collections.abc import Mapping

import numpy as np

from vidsim.records.video_columns import VideoColumns
from vidsim.records.video_id import ID_BYTES
from vidsim.schema import FRAME_BYTES

_EXPECTED = VideoColumns().arrays()
_NOT_BY_ROW = ("title_bytes", "title_splits", "tag_values", "tag_splits")


def are_columns(columns: Mapping[str, np.ndarray]) -> bool:
    """Whether these are columns as `VideoColumns.arrays` makes them, of one video or more."""
    if columns.keys() != _EXPECTED.keys() or not all(map(_same_type, columns, columns.values())):
        return False
    rows = len(columns["ids"])
    if not rows or any(len(columns[name]) != rows for name in columns.keys() - {*_NOT_BY_ROW}):
        return False
    for splits, values in (("title_splits", "title_bytes"), ("tag_splits", "tag_values")):
        ends = columns[splits]
        if len(ends) != rows + 1 or ends[0] or ends[-1] != len(columns[values]):
            return False
        if (ends[1:] < ends[:-1]).any():
            return False
    return _is_text(columns)


def lie_within(columns: Mapping[str, np.ndarray], size: int) -> bool:
    """Whether all that the columns refer to lies within a file of this size."""
    start, stride, count = (columns[name] for name in ("frame_offset", "frame_stride", "n_frames"))
    numbers = (start, stride, count, columns["record_offset"], columns["record_bytes"])
    if any((number < 0).any() or (number > size).any() for number in numbers):
        return False
    last = start + (count.astype(np.int64) - 1) * stride  # < 2**63: the numbers are below the size
    ends = np.where(count > 0, last + FRAME_BYTES, 0)
    records = columns["record_offset"] + columns["record_bytes"]
    return bool((ends <= size).all() and (records <= size).all())


def _same_type(name: str, column: np.ndarray) -> bool:
    if name == "ids":
        return column.ndim == 1 and column.dtype.kind == "S" and column.dtype.itemsize <= ID_BYTES
    return column.ndim == 1 and column.dtype == _EXPECTED[name].dtype


def _is_text(columns: Mapping[str, np.ndarray]) -> bool:
    """Whether ids and titles are UTF-8, and no title begins within a character."""
    try:
        b"\n".join(columns["ids"].tolist()).decode()
        columns["title_bytes"].tobytes().decode()
    except UnicodeDecodeError:
        return False
    starts = columns["title_splits"]
    first = columns["title_bytes"][starts[starts < starts[-1]]]
    return not (first & 0xC0 == 0x80).any()
