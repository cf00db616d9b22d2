"""Ids that several records give, in one file or in several.

The same video again is harmless and is read once. Two videos under one id are not: which of them
was rated cannot be known.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidsim.records.record_log import RecordLog
from vidsim.records.shown import shown
from vidsim.records.wire import Feature, parse_example

if TYPE_CHECKING:
    from vidsim.records.video_table import VideoTable


def drop_repeats(table: "VideoTable", log: RecordLog) -> "VideoTable":
    """The table with each id once, in its first place.

    Args:
        table: the videos; their files are read again where an id is repeated, and only there.
        log: takes note of records with the same content, and of those with another as bad ones.

    Raises:
        RecordError: two records give one id different content, unless the log skips those.
    """
    if len(set(table.ids.tolist())) == len(table):
        return table
    _, first, number = np.unique(table.ids, return_index=True, return_inverse=True)
    origin = first[number]  # (N,) the row in which the row's id stands first
    again = origin != np.arange(len(table))
    for row in np.flatnonzero(again).tolist():
        before = int(origin[row])
        content, other = _content(table, before), _content(table, row)
        differing = [name for name in {**content, **other} if content.get(name) != other.get(name)]
        where = (
            f"id {shown(table.ids[row].decode())} stands in {_place(table, row, before)} already"
        )
        if differing:
            reason = f"{where}, with another {' and '.join(differing)}; one id is one video"
            log.add_bad(table.record_error(row, reason))
        else:
            log.add_repeated(table.record_error(row, f"{where}, with the same content"))
    return table.take(np.flatnonzero(~again))


def _content(table: "VideoTable", row: int) -> dict[str, Feature]:
    """The fields of a row's record; protobuf may write equal ones in another order."""
    with _path(table, row).open("rb") as file:
        file.seek(int(table.record_offset[row]))
        return parse_example(file.read(int(table.record_bytes[row])))


def _place(table: "VideoTable", row: int, before: int) -> str:
    path = _path(table, before)
    record = f"record {table.record_no[before]}"
    return record if path == _path(table, row) else f"{record} of {path}"


def _path(table: "VideoTable", row: int) -> Path:
    return table.paths[table.file_no[row]]
