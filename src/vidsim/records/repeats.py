"""Ids that several records give, in one file or in several.

The same video again is harmless and is read once. Two videos under one id are not: which of them
was rated cannot be known.
"""

import numpy as np

from vidsim.records.places import Places
from vidsim.records.record_log import RecordLog
from vidsim.records.shown import shown
from vidsim.records.wire import parse_example


def first_rows(ids: np.ndarray, places: Places, log: RecordLog) -> np.ndarray | None:
    """The rows in which an id stands first, ascending; None where no id is repeated.

    Args:
        ids: (N,) of the videos.
        places: of their records, which are read again where an id is repeated, and only there.
        log: takes note of records with the same content, and of those with another as bad ones.

    Raises:
        RecordError: two records give one id different content, unless the log skips those.
    """
    ordered = np.sort(ids)
    if not (ordered[1:] == ordered[:-1]).any():
        return None
    _, first, number = np.unique(ids, return_index=True, return_inverse=True)
    origin = first[number]  # (N,) the row in which the row's id stands first
    again = origin != np.arange(len(ids))
    for row in np.flatnonzero(again).tolist():
        before = int(origin[row])
        # protobuf may write equal fields in another order
        content, other = (parse_example(places.payload(place)) for place in (before, row))
        differing = [name for name in {**content, **other} if content.get(name) != other.get(name)]
        where = f"id {shown(ids[row].decode())} stands in {_place(places, row, before)} already"
        if differing:
            reason = f"{where}, with another {' and '.join(differing)}; one id is one video"
            log.add_bad(places.error(row, reason))
        else:
            log.add_repeated(places.error(row, f"{where}, with the same content"))
    return np.flatnonzero(~again)


def _place(places: Places, row: int, before: int) -> str:
    record = f"record {places.record_no[before]}"
    same = places.path(before) == places.path(row)
    return record if same else f"{record} of {places.path(before)}"
