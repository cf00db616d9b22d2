"""The two sides of retrieval as tables of videos: sentences without frames, videos without words.

Every model of the package reads them as it reads any video. A title may be the very sentence that
is searched by, so that the video's side has none of its texts.
"""

from collections.abc import Mapping

import numpy as np

from vidsim import schema
from vidsim.records.columns import Column
from vidsim.records.field_columns import FieldColumns
from vidsim.records.fields import FIELDS, text_fields
from vidsim.records.text_field import TextColumn
from vidsim.records.video_table import VideoTable
from vidsim.tasks.retrieval.captions import Captions

_NOT_OF_SENTENCES = tuple(name for name in FIELDS if name != schema.TITLE)


def videos_alone(table: VideoTable) -> VideoTable:
    """The videos without their texts."""
    texts = {name: TextColumn.empty(len(table)) for name in text_fields()}
    return VideoTable(table.ids, table.places, _with(table.columns, texts), table.skipped)


def sentences_alone(captions: Captions, table: VideoTable) -> VideoTable:
    """A row for each sentence, which is its title; it has no frames and no labels.

    Args:
        captions: of videos that are all in the table.
        table: the videos, whose widths the rows keep.
    """
    found = table.take(table.rows_of(captions.videos))
    empty = {name: FIELDS[name].column.empty(len(captions)) for name in _NOT_OF_SENTENCES}
    title = TextColumn.of([sentence.encode() for sentence in captions.sentences])
    columns = _with(found.columns, empty | {schema.TITLE: title})
    return VideoTable(captions.ids, found.places, columns, table.skipped)


def _with(columns: FieldColumns, others: Mapping[str, Column]) -> FieldColumns:
    return FieldColumns(_Replaced(columns, others))


class _Replaced:
    """A `ColumnSource` with some columns in the place of others; streams keep their widths."""

    def __init__(self, columns: FieldColumns, others: Mapping[str, Column]):
        self._columns, self._others = columns, dict(others)

    def has(self, name: str) -> bool:
        other = self._others.get(name)
        return self._columns.has(name) if other is None else other.filled

    def width(self, name: str) -> int | None:
        return self._columns.width(name)

    def load(self, name: str) -> Column:
        return self._columns.load(name) if name not in self._others else self._others[name]


def places_among(captions: Captions, videos: np.ndarray) -> np.ndarray:
    """(N,) the place of each sentence's video among some ids (V,) that have them all."""
    order = np.argsort(videos, kind="stable")
    return order[np.searchsorted(videos[order], captions.videos)]
