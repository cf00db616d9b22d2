"""result.csv: a line a test video, `id,category`, without a heading, as the WBDC 2022 asked for it.

An earlier result of another content is never overwritten: it is moved to result.old-<n>.csv, and
its report and picture with it.
"""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from vidsim.blending.earlier import free_mark, marked, move_aside
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import atomic_file

RESULT, REPORT, CONFIG = "result.csv", "report.json", "config.json"
FIGURE = "confusion.png"
FILES = (REPORT, FIGURE, CONFIG)
"""Of a report, beside its result."""
_LINE = re.compile(rb'("(""|[^"])*"|[^,"\n]*),-?\d{1,19}')


def ensemble_dir(common: Common, name: str | None) -> Path:
    """The folder of the report and, by default, of the result.

    Args:
        common: --save-dir and --run-name.
        name: of test videos that are not the data folder's own.
    """
    return common.task_dir / common.run("ensemble") / (name or "")


def result_path(common: Common, name: str | None) -> Path:
    """Where the result goes: --output-zip, or result.csv in the folder of the report."""
    return common.output_zip or ensemble_dir(common, name) / RESULT


def refuse_foreign(path: Path) -> None:
    """Sees to it that a result can go to a path without replacing anything else.

    Raises:
        VidsimError: there is a file, not empty, that is no result, or something else.
    """
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    if path.is_file():
        with path.open("rb") as file:
            first = file.readline(4096)
        if _LINE.fullmatch(first.rstrip(b"\r\n")):
            return
    kind = "folder" if path.is_dir() else "file"
    raise VidsimError(
        f"{path}: this {kind} is no result (lines of id,category), so it is not replaced; name "
        "another file by --output-zip"
    )


def write_result(path: Path, ids: Iterable[str], categories: Iterable[int]) -> Path | None:
    """Writes the result; returns what became of an earlier one of another content, if there was.

    Args:
        path: of the result; the report of an earlier one lies beside it.
        ids: of the videos, in order.
        categories: one for each.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(ids, categories, strict=True))
    content, moved = text.getvalue().encode(), None
    if path.exists() and path.stat().st_size and path.read_bytes() != content:
        moved = _move_aside(path)
    with atomic_file(path) as file:
        file.write(content)
    return moved


def _move_aside(path: Path) -> Path:
    files = [path, *map(path.with_name, FILES)]
    mark = free_mark(files)
    move_aside(files, mark)
    return marked(path, mark)
