"""Whether an index can be believed: it lies about beside the data, and may have come with them.

What it says of ids and of what is in a field is taken; what it says of places in the file is
checked. The columns of the fields check themselves when they are loaded (`Column.check`).
"""

from collections.abc import Mapping

import numpy as np

from vidsim.records.video_id import ID_BYTES

RECORDS = {"record_no": "i8", "record_offset": "i8", "record_bytes": "i8", "checksums": "u4"}
_AT_ONCE = 1 << 16  # ids that are Python objects at the same time


def are_records(ids: np.ndarray, arrays: Mapping[str, np.ndarray], size: int) -> bool:
    """Whether these can be the ids and places of one video or more in a file of this size."""
    if ids.ndim != 1 or ids.dtype.kind != "S" or ids.dtype.itemsize > ID_BYTES or not len(ids):
        return False
    for name, dtype in RECORDS.items():
        if arrays[name].dtype != dtype or arrays[name].shape != ids.shape:
            return False
    start, length = arrays["record_offset"], arrays["record_bytes"]
    if any((number < 0).any() or (number > size).any() for number in (start, length)):
        return False
    return bool((start + length <= size).all()) and _are_text(ids)


def is_header(header: object) -> bool:
    """Whether this says of each field its kind, if there is anything, and the vectors' width."""
    return isinstance(header, dict) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("kind"), str)
        and isinstance(entry.get("filled"), bool)
        and _is_width(entry.get("width"), entry["filled"] and entry["kind"] == "stream")
        for entry in header.values()
    )


def _is_width(width: object, needed: bool) -> bool:
    return type(width) is int and 0 < width < 1 << 30 if needed else width is None


def _are_text(ids: np.ndarray) -> bool:
    try:
        for start in range(0, len(ids), _AT_ONCE):
            b"\n".join(ids[start : start + _AT_ONCE].tolist()).decode()
    except UnicodeDecodeError:
        return False
    return True
