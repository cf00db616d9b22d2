"""A table of any accepted format as rows with their lines, read in parts: memory stays flat."""

import csv
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.records.shown import shown
from vidsim.tables.json_rows import JsonError, json_array, json_lines
from vidsim.tables.row_log import RowLog

FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
_AT_ONCE = 1 << 12  # rows in memory
_TOO_LONG = re.compile(r"Skipping line (\d+): expected (\d+) fields, saw (\d+)")


class Row(NamedTuple):
    """One row: its line in the file (of Parquet: its number), and its values by column."""

    line: int
    values: Mapping[str, Any]


class Table:
    """The rows of a file, from the first one each time.

    CSV has quotes as spreadsheets write them; in TSV a quote is a letter like any other. All their
    values are texts as they stand, "" where a row ends early. JSON lines, a JSON array and Parquet
    have values of their own types.

    Args:
        path: the file; its ending says what it is.

    Attributes:
        columns: those met so far, in the order of the file.

    Raises:
        VidsimError: no such file, or an ending that is none of `FORMATS`.
    """

    def __init__(self, path: Path):
        self.path, self.columns = path, dict[str, None]()
        self._kind = path.suffix.lower()
        if self._kind not in FORMATS:
            raise VidsimError(f"{path}: tables are {', '.join(FORMATS)}, by the file's ending")
        if not path.is_file():
            raise VidsimError(f"{path}: there is no such file")

    @property
    def digest(self) -> str:
        """sha256 (hex) of the file."""
        return file_digest(self.path)

    def place(self, line: int) -> str:
        """Where a row is, as messages name it."""
        return f"{self.path}: row {line}" if self._kind == ".parquet" else f"{self.path}:{line}"

    def bad(self, log: RowLog, line: int, reason: str) -> None:
        """Notes a bad row of this table."""
        log.bad(self.path, self.place(line), reason)

    def rows(self, log: RowLog, check: Callable[[Mapping[str, None]], None] | None = None):
        """Every row that can be read.

        Args:
            log: takes those that cannot.
            check: is given the columns of CSV, TSV and Parquet before the first row.

        Raises:
            VidsimError: a bad row, unless the log skips those; a file that is no such table.
        """
        found: Iterator[Row] = {
            ".jsonl": lambda: self._objects(json_lines(self.path), log),
            ".json": lambda: self._objects(json_array(self.path), log),
            ".parquet": self._parquet,
        }.get(self._kind, lambda: self._separated(log))()
        try:
            for number, row in enumerate(found):
                if not number and check and self._kind not in (".json", ".jsonl"):
                    check(self.columns)
                yield row
        except OSError as error:
            raise VidsimError(f"{self.path}: cannot be read ({error.strerror})") from None

    def _objects(self, values: Iterator[tuple[int, Any]], log: RowLog) -> Iterator[Row]:
        keys = None
        for line, value in values:
            if isinstance(value, JsonError):
                if not value.goes_on:
                    raise VidsimError(
                        f"{self.place(line)}: {value}; the file cannot be read from here on"
                    )
                self.bad(log, line, str(value))
            elif not isinstance(value, dict):
                self.bad(log, line, f"{shown(repr(value))} is no object {{...}}")
            else:
                if value.keys() != keys:
                    keys = value.keys()
                    self.columns.update(dict.fromkeys(keys))
                yield Row(line, value)

    def _separated(self, log: RowLog) -> Iterator[Row]:
        """Rows of CSV and TSV, blank lines left out.

        pandas counts records; a line feed within quotes makes the next record a line later.
        """
        import pandas

        tabs: dict[str, Any] = {"sep": "\t", "quoting": csv.QUOTE_NONE}
        try:
            reader = pandas.read_csv(
                self.path,
                dtype=object,  # an id is never a number, a title "NA" no missing value
                na_filter=False,
                index_col=False,
                skip_blank_lines=False,
                chunksize=_AT_ONCE,
                encoding="utf-8-sig",
                encoding_errors="surrogateescape",
                on_bad_lines="warn" if log.skip else "error",
                **(tabs if self._kind == ".tsv" else {}),
            )
            with reader:
                yield from self._chunks(reader, log)
        except pandas.errors.EmptyDataError:
            raise VidsimError(f"{self.path}: empty; a first line with names is expected") from None
        except (ValueError, pandas.errors.ParserWarning) as error:
            raise VidsimError(f"{self.path}: not a table: {error}") from None

    def _chunks(self, reader: Any, log: RowLog) -> Iterator[Row]:
        record, moved = 1, 0  # records read, and line feeds within their values
        while True:
            chunk, too_long = _next_chunk(reader)
            if chunk is None:
                return
            if not self.columns:
                names = [str(name) for name in chunk.columns]
                self.columns.update(dict.fromkeys(names))
                moved = sum(name.count("\n") for name in names)
            names = tuple(self.columns)
            for values in chunk.itertuples(index=False, name=None):
                record += 1
                while record in too_long:
                    self.bad(log, record + moved, too_long[record])
                    record += 1
                line = record + moved
                moved += sum(value.count("\n") for value in values)
                if any(values):
                    yield Row(line, dict(zip(names, values, strict=True)))
            for number in sorted(n for n in too_long if n > record):
                self.bad(log, number + moved, too_long[number])
                record = number

    def _parquet(self) -> Iterator[Row]:
        try:
            from pyarrow import ArrowException  # pyright: ignore[reportMissingImports]
            from pyarrow.parquet import ParquetFile  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError:
            raise VidsimError(
                f"{self.path}: Parquet is read by pyarrow, which is not installed: sh setup.sh "
                "parquet; or save the table as .csv or .jsonl"
            ) from None
        try:
            with ParquetFile(self.path) as file:
                self.columns.update(dict.fromkeys(file.schema_arrow.names))
                number = 0
                for batch in file.iter_batches(_AT_ONCE):
                    for values in batch.to_pylist():
                        number += 1
                        yield Row(number, values)
        except ArrowException as error:
            raise VidsimError(f"{self.path}: not a Parquet file: {error}") from None


def _next_chunk(reader: Any) -> tuple[Any, dict[int, str]]:
    """The next part, None at the end; and what is wrong with records that are left out of it."""
    import pandas

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chunk = next(reader, None)
    too_long = {}
    for warning in caught:
        found = _TOO_LONG.findall(str(warning.message))
        if not found and issubclass(warning.category, pandas.errors.ParserWarning):
            raise warning.message if isinstance(warning.message, Warning) else ValueError(warning)
        for record, expected, saw in found:
            too_long[int(record)] = f"{saw} values; the first line has {expected} names"
    return chunk, too_long
