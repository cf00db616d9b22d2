"""Sentences about videos: of a column of their table, or of a table of their own."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vidsim import schema
from vidsim.records.shown import shown
from vidsim.tables.column_names import CAPTION, CAPTIONS, FILE, ColumnNames
from vidsim.tables.id_index import IdIndex, packed
from vidsim.tables.row_log import RowLog
from vidsim.tables.table import Table
from vidsim.tables.values import captions_of, id_of, text_of

_AT_ONCE = 1 << 13  # sentences in memory


class Caption(NamedTuple):
    """A sentence: the row of its video in the list of videos, the id, and the text."""

    row: int
    video: str
    text: str


def listed_captions(given: Iterable[tuple[bytes, str]], ids: IdIndex) -> Iterator[Caption]:
    """Sentences of videos that are all in a list."""
    given = iter(given)
    while part := list(islice(given, _AT_ONCE)):
        rows = ids.find(packed([video for video, _ in part])).tolist()
        for row, (video, text) in zip(rows, part, strict=True):
            yield Caption(row, video.decode(), text)


def read_captions(
    path: Path, ids: IdIndex, columns: Mapping[str, str], log: RowLog
) -> Iterator[Caption]:
    """The sentences of a table.

    Args:
        path: the table.
        ids: of the videos.
        columns: by field, of --columns.
        log: takes bad rows: no id, an id that no video has, no sentence, a value that is no text.

    Raises:
        VidsimError: a bad row, unless the log skips those; or no such column.
    """
    table, names = Table(path), ColumnNames(CAPTIONS, columns)

    def require(_: Mapping[str, None] | None = None) -> None:
        names.require(table, (schema.ID, FILE), (CAPTION,))

    def rows() -> Iterator[tuple[int, bytes, tuple[str, ...]]]:
        for line, row in table.rows(log, require):
            try:
                file = text_of(names.value(row, FILE), FILE).strip()
                video = id_of(names.value(row, schema.ID), file)
                texts = captions_of(names.value(row, CAPTION))
                if not texts:
                    raise ValueError("there is no caption")
            except ValueError as error:
                table.bad(log, line, str(error))
                continue
            yield line, video, texts

    found = rows()
    while part := list(islice(found, _AT_ONCE)):
        places = ids.find(packed([video for _, video, _ in part]))
        for place in np.flatnonzero(places < 0).tolist():
            line, video, _ = part[place]
            table.bad(log, line, f"no video {shown(video.decode())} in the table of videos")
        for row, (_, video, texts) in zip(places.tolist(), part, strict=True):
            yield from (Caption(row, video.decode(), text) for text in texts if row >= 0)
    require()
