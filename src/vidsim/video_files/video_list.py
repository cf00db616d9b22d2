"""A table that says which videos: a column id, and perhaps one with their files."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.shown import shown

FILE = "file"
_ENDINGS = (".csv", ".tsv", ".jsonl")
_AT_ONCE = 1 << 14  # rows


def read_video_list(path: Path) -> list[tuple[str, str]]:
    """Id and file of each row; "" where the table has no file for it. Other columns are not read.

    Raises:
        VidsimError: no such table, no column id, or an id that is missing or comes twice.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise VidsimError(f"{path}: accepted are tables that end in {', '.join(_ENDINGS)}")
    found: dict[str, str] = {}
    rows = _json_rows(path) if path.suffix.lower() == ".jsonl" else _table_rows(path)
    for number, (video_id, file) in enumerate(rows, 1):
        if not video_id:
            raise VidsimError(f"{path}: row {number}: no {schema.ID}")
        if video_id in found:
            raise VidsimError(f"{path}: row {number}: id {shown(video_id)} again")
        found[video_id] = file
    if not found:
        raise VidsimError(f"{path}: no video; accepted is a row for each, with its id")
    return list(found.items())


def _table_rows(path: Path) -> Iterator[tuple[str, str]]:
    import pandas

    tabs = path.suffix.lower() == ".tsv"
    how: dict[str, Any] = {"sep": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
    try:
        reader = pandas.read_csv(
            path,
            dtype=str,
            na_filter=False,
            usecols=lambda name: name in (schema.ID, FILE),
            chunksize=_AT_ONCE,
            encoding="utf-8-sig",
            **how,
        )
        with reader:
            for part in reader:
                if schema.ID not in part:
                    raise VidsimError(f"{path}: no column {schema.ID}")
                files = part[FILE] if FILE in part else [""] * len(part)
                yield from zip(part[schema.ID], files, strict=True)
    except (ValueError, OSError) as error:  # pandas' own errors are ValueErrors, as UTF-8's is
        raise VidsimError(f"{path}: not a table in UTF-8: {error}") from None


def _json_rows(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise VidsimError(f"{path}:{number}: no object")
                yield str(row.get(schema.ID, "")), str(row.get(FILE) or "")
    except (ValueError, OSError, RecursionError) as error:
        raise VidsimError(f"{path}: not JSON lines in UTF-8: {error}") from None
