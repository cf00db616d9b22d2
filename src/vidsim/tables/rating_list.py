"""Rated pairs of a table, from the raters' scale to [0, 1]."""

import math
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.shown import shown
from vidsim.tables.column_names import RATING, RATINGS, SPLIT, ColumnNames
from vidsim.tables.id_index import IdIndex, IdList
from vidsim.tables.row_log import RowLog
from vidsim.tables.table import Table
from vidsim.tables.values import id_of, split_of

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class RatingRange:
    """The lowest and the highest rating that the raters could give."""

    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> "RatingRange":
        """Reads LOW,HIGH.

        Raises:
            VidsimError: it is written otherwise, or LOW is not below HIGH.
        """
        words = [word.strip() for word in text.split(",")]
        if len(words) == 2 and all(_NUMBER.fullmatch(word) for word in words):
            low, high = map(float, words)
            if low < high < math.inf and low > -math.inf:
                return cls(low, high)
        raise VidsimError(
            f"--rating-range {text}: accepted is LOW,HIGH, two numbers, the lower one first, such "
            "as 0,5"
        )


@dataclass(frozen=True, eq=False)
class Ratings:
    """N rated pairs of videos that are there.

    Attributes:
        rows: (N, 2) int64, the places of the two videos.
        values: (N,) float64 in [0, 1].
        splits: (N,) uint8 of each pair; None where the table has no such column.
        least: the lowest rating of the table, on its own scale.
        most: the highest.
    """

    rows: np.ndarray
    values: np.ndarray
    splits: np.ndarray | None
    least: float
    most: float

    def __len__(self) -> int:
        return len(self.values)

    def take(self, which: np.ndarray) -> "Ratings":
        """Some of them, by place or by a mask."""
        splits = None if self.splits is None else self.splits[which]
        return replace(self, rows=self.rows[which], values=self.values[which], splits=splits)


def read_ratings(
    path: Path, ids: IdIndex, scale: RatingRange | None, columns: Mapping[str, str], log: RowLog
) -> Ratings:
    """Reads a table of ratings.

    Args:
        path: the table.
        ids: of the videos.
        scale: of --rating-range; None: ratings are from 0 to 1 already.
        columns: by field, of --columns.
        log: takes bad rows: no id, no number, one outside of the scale, an id that no video has.

    Raises:
        VidsimError: a bad row, unless the log skips those; no such column, or no rating is left.
    """
    table, names = Table(path), ColumnNames(RATINGS, columns)
    first, second = IdList(), IdList()
    lines, values, splits = array("q"), array("d"), array("B")
    for line, row in table.rows(log, lambda _: _require(names, table)):
        try:
            pair = id_of(_there(row, names, schema.ID_1)), id_of(_there(row, names, schema.ID_2))
            value, split = _rating(names.value(row, RATING)), split_of(names.value(row, SPLIT))
        except ValueError as error:
            table.bad(log, line, str(error))
            continue
        first.append(pair[0])
        second.append(pair[1])
        lines.append(line)
        values.append(value)
        splits.append(split)
    _require(names, table)
    given, at = np.array(values), np.array(lines)
    if not len(given):
        raise VidsimError(f"{path}: no rating; accepted is a row for each: id_1, id_2, rating")
    fits = _fitting(table, given, at, scale, log)
    pairs = np.stack([first.array(), second.array()], axis=1)
    rows = np.stack([ids.find(pairs[:, 0]), ids.find(pairs[:, 1])], axis=1)
    for place in np.flatnonzero(fits & (rows < 0).any(axis=1)).tolist():
        unknown = [shown(pairs[place, side].decode()) for side in (0, 1) if rows[place, side] < 0]
        table.bad(log, int(at[place]), f"no video {' nor '.join(unknown)} in the table of videos")
    known = fits & (rows >= 0).all(axis=1)
    if not known.any():
        raise VidsimError(f"{path}: not one rating of {len(given)} is left (see above)")
    low, high = (0.0, 1.0) if scale is None else (scale.low, scale.high)
    split = np.array(splits) if names.has(table.columns, SPLIT) else None
    scaled = (given - low) / (high - low)
    ratings = Ratings(rows, scaled, split, float(given.min()), float(given.max()))
    return ratings.take(known)


def _require(names: ColumnNames, table: Table) -> None:
    names.require(table, (schema.ID_1,), (schema.ID_2,), (RATING,))


def _there(row: Mapping[str, Any], names: ColumnNames, field: str) -> Any:
    value = names.value(row, field)
    if value is None:
        raise ValueError(f"there is no {field}")
    return value


def _rating(value: Any) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"the rating is {shown(repr(value))}; accepted is a number")
    return float(value)


def _fitting(
    table: Table, given: np.ndarray, lines: np.ndarray, scale: RatingRange | None, log: RowLog
) -> np.ndarray:
    """(N,) bool, which ratings are on the scale.

    A scale is never guessed: the greatest rating that was given need not be the greatest there is.
    """
    low, high = (0.0, 1.0) if scale is None else (scale.low, scale.high)
    fits = (given >= low) & (given <= high)
    for place in np.flatnonzero(~fits).tolist():
        if scale is None:
            raise VidsimError(
                f"{table.place(int(lines[place]))}: the rating is {given[place]:.12g}, and those "
                f"of this table are from {given.min():.12g} to {given.max():.12g}. Say the lowest "
                "and the highest that the raters could give by --rating-range LOW,HIGH, such as 0,5"
            )
        table.bad(
            log,
            int(lines[place]),
            f"the rating is {given[place]:.12g}, outside of --rating-range {low:.12g},{high:.12g}",
        )
    return fits
