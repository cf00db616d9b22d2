"""A table of videos that are texts alone: CSV, TSV or JSON lines, read a part at a time."""

import csv
import difflib
import json
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.records.field_columns import FieldColumns, InMemory
from vidsim.records.fields import text_fields
from vidsim.records.places import Places
from vidsim.records.shown import shown
from vidsim.records.text_field import TextColumn
from vidsim.records.video_id import ACCEPTED_ID, is_video_id
from vidsim.records.video_table import VideoTable

TABLES = (".csv", ".tsv", ".jsonl")
_AT_ONCE = 1 << 14  # rows in memory while the table is checked
_Row = tuple[Any, ...]


class TextTable:
    """The videos of a table: a column id, and any of the text fields.

    CSV has quotes as spreadsheets write them; in TSV a quote is a letter like any other. A value
    that is not there is an empty text. The file is read through once, and every row is checked.

    Args:
        path: the file; its ending says what it is.

    Attributes:
        fields: its columns beside the id.
        digest: sha256 of the file.

    Raises:
        VidsimError: it cannot be read, has no id or a column of another name; or a row has no id,
            the id of another row, or a value that is no text.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self.digest = file_digest(path)
        except OSError as error:
            raise VidsimError(f"{path}: cannot be read ({error.strerror})") from None
        self.fields: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._count = 0
        seen: set[bytes] = set()
        for table in self.parts(_AT_ONCE):
            for row, video in enumerate(table.ids.tolist(), self._count + 1):
                if video in seen:
                    raise VidsimError(
                        f"{path}: row {row}: id {shown(video.decode())} again; every video has an "
                        "id of its own"
                    )
                seen.add(video)
            self._count += len(table)
        if not self._count:
            raise VidsimError(f"{path}: no video; accepted is a row for each, with its id")

    def __len__(self) -> int:
        return self._count

    def __str__(self) -> str:
        return f"the {self._count} videos of {self.path}"

    def has(self, name: str) -> bool:
        """Whether there is a column for a field."""
        return name in self.fields

    def width(self, name: str) -> None:
        """There are no vectors in a table."""

    def parts(self, size: int) -> Iterator[VideoTable]:
        """The videos, so many at a time."""
        rows, start = self._rows(size), 0
        while part := list(islice(rows, size)):
            yield self._table(part, start)
            start += len(part)

    def _rows(self, size: int) -> Iterator[_Row]:
        if self.path.suffix.lower() == ".jsonl":
            return self._json_rows()
        return self._pandas_rows(size)

    def _pandas_rows(self, size: int) -> Iterator[_Row]:
        import pandas

        tabs = self.path.suffix.lower() == ".tsv"
        how: dict[str, Any] = {"sep": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
        try:
            # As they stand: an id is never a number, a title "NA" no missing value.
            reader = pandas.read_csv(
                self.path,
                dtype=str,
                na_filter=False,
                index_col=False,
                chunksize=size,
                encoding="utf-8-sig",
                **how,
            )
            with reader:
                while (part := self._next(reader)) is not None:
                    self._name(tuple(map(str, part.columns)))
                    yield from part.itertuples(index=False, name=None)
        except (ValueError, OSError, pandas.errors.ParserWarning) as error:
            # pandas' own errors are ValueErrors, as UTF-8's is
            raise VidsimError(f"{self.path}: not a table in UTF-8: {error}") from None

    @staticmethod
    def _next(reader: Any) -> Any:
        """The next part; None at the end. Where pandas would warn and drop values, it raises."""
        import pandas

        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            return next(reader, None)

    def _json_rows(self) -> Iterator[_Row]:
        accepted = f"accepted is an object like {json.dumps({'id': '7', 'title': 'a cat'})}"
        self._name((schema.ID, *text_fields()))
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except (ValueError, RecursionError) as error:
                    raise VidsimError(f"{self.path}:{number}: {error}; {accepted}") from None
                if not isinstance(row, dict):
                    raise VidsimError(f"{self.path}:{number}: no object; {accepted}")
                self._refuse_unknown(tuple(row))
                if type(row.get(schema.ID)) is int:
                    row[schema.ID] = str(row[schema.ID])
                yield tuple("" if row.get(name) is None else row[name] for name in self._names)

    def _name(self, names: tuple[str, ...]) -> None:
        if names == self._names:
            return
        self._refuse_unknown(names)
        if schema.ID not in names:
            raise VidsimError(
                f"{self.path}: no column {schema.ID}, by which embeddings are known; there are "
                f"{', '.join(names)}"
            )
        self._names = names
        self.fields = tuple(name for name in names if name != schema.ID)

    def _refuse_unknown(self, names: tuple[str, ...]) -> None:
        known = (schema.ID, *text_fields())
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
                nearest = f"; the nearest are {', '.join(near)}" if near else ""
                raise VidsimError(
                    f"{self.path}: column {shown(name)} is not known{nearest}; accepted are "
                    f"{', '.join(known)}"
                )

    def _table(self, rows: list[_Row], start: int) -> VideoTable:
        values = dict(zip(self._names, zip(*rows, strict=True), strict=True))
        packed = {name: self._packed(name, values[name], start) for name in values}
        for row, video in enumerate(packed[schema.ID], start + 1):
            if not is_video_id(video):
                raise VidsimError(f"{self.path}: row {row}: id {shown(video)}; {ACCEPTED_ID}")
        count = len(rows)
        columns = {name: TextColumn.of(packed[name]) for name in self.fields}
        places = Places(
            (self.path,),
            np.zeros(count, np.int32),
            np.arange(start, start + count),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.zeros(count, np.uint32),
        )
        return VideoTable(
            np.array(packed[schema.ID], np.bytes_), places, FieldColumns(InMemory(columns, count))
        )

    def _packed(self, name: str, values: tuple[Any, ...], start: int) -> list[bytes]:
        """The texts of a column in UTF-8."""
        packed = []
        for row, value in enumerate(values, start + 1):
            try:
                packed.append(value.encode())
            except (AttributeError, UnicodeEncodeError):
                raise VidsimError(
                    f"{self.path}: row {row}: {name} is {value!r:.80}; accepted is a text"
                ) from None
        return packed
