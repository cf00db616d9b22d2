"""The videos of a table: read through once and judged, then again for what is in them."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.shown import shown
from vidsim.tables.column_names import CAPTION, FILE, VIDEO, ColumnNames
from vidsim.tables.id_index import IdIndex, IdList
from vidsim.tables.numbered_names import NumberedNames
from vidsim.tables.row_log import RowLog
from vidsim.tables.table import Table
from vidsim.tables.values import TableVideo, video_of

_WORST = RowLog(skip=True)  # of the second reading: what is bad has been said


@dataclass(frozen=True)
class VideoNames:
    """How columns of a table of videos are called, and tags separated.

    Attributes:
        columns: by field, of --columns.
        separator: between the tags of one text.
    """

    columns: Mapping[str, str]
    separator: str = ","


class VideoList:
    """The N different videos of a table, in its order.

    A row that repeats another one word for word is read once; if only its captions are others,
    they count too, as image-text sets have them.

    Args:
        path: the table.
        names: of its columns.
        log: takes bad rows: no id, the id of another row with other content, a value that is none.

    Attributes:
        ids: finds the N videos.
        splits: (N,) uint8, TRAIN, VAL or TEST.
        tags: numbers of all tags.
        categories: numbers of all categories.
        repeated: rows that say again what another one says.
        fields: the column of each field that has one.
        others: columns that are no field.

    Raises:
        VidsimError: a bad row, unless the log skips those; no video; no such column.
    """

    def __init__(self, path: Path, names: VideoNames, log: RowLog):
        self.table = Table(path)
        self._names = ColumnNames(VIDEO, names.columns)
        self._separator = names.separator
        ids, lines, splits, content = IdList(), array("q"), array("B"), array("q")
        tags, categories = Counter[str](), Counter[str]()
        for line, video in self._videos(log):
            ids.append(video.id)
            lines.append(line)
            splits.append(video.split)
            content.append(video.content)
            tags.update(video.tags)
            categories.update((video.category,) if video.category else ())
        self._require()
        index = IdIndex(ids.array())
        self._kept = self._different(index, np.array(lines), np.array(content), log)
        rows = np.flatnonzero(self._kept)
        self.repeated = len(index) - len(rows) - int((~self._fits).sum())
        self.ids = IdIndex(index.ids[rows])
        self.splits = np.array(splits)[rows]
        self.tags = NumberedNames.by_frequency(tags)
        self.categories = NumberedNames.by_name(categories)
        self.fields = self._names.found(self.table.columns)
        self.others = [c for c in self.table.columns if c not in self.fields.values()]
        if not len(self.ids):
            raise VidsimError(f"{path}: no video; accepted is a row for each, with its id")

    def __len__(self) -> int:
        return len(self.ids)

    def videos(self) -> Iterator[TableVideo]:
        """The N videos."""
        for kept, (_, video) in zip(self._kept, self._videos(_WORST), strict=True):
            if kept:
                yield video

    def captions(self) -> Iterator[tuple[bytes, str]]:
        """Every sentence with the id of its video, of repeated rows too."""
        if CAPTION in self.fields:
            for fits, (_, video) in zip(self._fits, self._videos(_WORST), strict=True):
                yield from ((video.id, sentence) for sentence in video.captions if fits)

    def has(self, field: str) -> bool:
        """Whether there is a column for a field."""
        return field in self.fields

    def _videos(self, log: RowLog) -> Iterator[tuple[int, TableVideo]]:
        for line, row in self.table.rows(log, lambda _: self._require()):
            try:
                video = video_of(row, self._names, self._separator)
            except ValueError as error:
                self.table.bad(log, line, str(error))
                continue
            yield line, video

    def _require(self) -> None:
        self._names.require(self.table, (schema.ID, FILE))

    def _different(
        self, index: IdIndex, lines: np.ndarray, content: np.ndarray, log: RowLog
    ) -> np.ndarray:
        """(rows,) bool, the first row of each video; those of another content are bad."""
        first = index.first()
        self._fits = content == content[first]
        for row in np.flatnonzero(~self._fits).tolist():
            video = index.ids[row].decode()
            self.table.bad(
                log,
                int(lines[row]),
                f"id {shown(video)} again, with other content than line {lines[first[row]]}; every "
                "video has an id of its own",
            )
        return first == np.arange(len(index))
