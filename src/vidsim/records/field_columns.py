"""The columns of a table by field, each read when it is asked for.

A recipe that reads titles and frames never loads the tags or transcripts of a million videos.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.columns import Column
from vidsim.records.fields import FIELDS


class ColumnSource(Protocol):
    """Gives the columns of N videos."""

    def has(self, name: str) -> bool:
        """Whether some video says anything of a field."""
        ...

    def width(self, name: str) -> int | None:
        """Numbers in a vector of a stream; None where no video has one."""
        ...

    def load(self, name: str) -> Column:
        """The column of a field, new each time."""
        ...


class FieldColumns(Mapping[str, Column]):
    """The columns of N videos by field; what was asked for once is kept.

    Args:
        source: gives them.
    """

    def __init__(self, source: ColumnSource):
        self._source = source
        self._kept: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name not in self._kept:
            self._kept[name] = self.load(name)
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(FIELDS)

    def __len__(self) -> int:
        return len(FIELDS)

    @property
    def loaded(self) -> frozenset[str]:
        """The fields whose columns are in memory."""
        return frozenset(self._kept)

    def has(self, name: str) -> bool:
        """As `ColumnSource.has`."""
        _check(name)
        return self._source.has(name)

    def width(self, name: str) -> int | None:
        """As `ColumnSource.width`."""
        _check(name)
        return self._source.width(name)

    def load(self, name: str) -> Column:
        """The column of a field, kept only if it was asked for by name before."""
        _check(name)
        return self._kept[name] if name in self._kept else self._source.load(name)

    def take(self, rows: np.ndarray) -> "FieldColumns":
        """The columns of these rows, which may repeat, in this order."""
        return FieldColumns(_Taken(self, rows))

    @staticmethod
    def concat(parts: Sequence["FieldColumns"], paths: Sequence[Path]) -> "FieldColumns":
        """The rows of one or more parts, one after the other; `paths` names a file of each."""
        return parts[0] if len(parts) == 1 else FieldColumns(_Joined(parts, paths))


class InMemory:
    """A `ColumnSource` of columns that are there."""

    def __init__(self, columns: Mapping[str, Column], rows: int):
        self._columns, self._rows = columns, rows

    def has(self, name: str) -> bool:
        return name in self._columns and self._columns[name].filled

    def width(self, name: str) -> int | None:
        return getattr(self.load(name), "width", None)

    def load(self, name: str) -> Column:
        return self._columns.get(name) or FIELDS[name].column.empty(self._rows)


class _Taken:
    def __init__(self, columns: FieldColumns, rows: np.ndarray):
        self._columns, self._rows = columns, rows

    def has(self, name: str) -> bool:
        return self._columns.has(name)

    def width(self, name: str) -> int | None:
        return self._columns.width(name)

    def load(self, name: str) -> Column:
        return self._columns.load(name).take(self._rows)


class _Joined:
    def __init__(self, parts: Sequence[FieldColumns], paths: Sequence[Path]):
        self._parts, self._paths = parts, paths

    def has(self, name: str) -> bool:
        return any(part.has(name) for part in self._parts)

    def width(self, name: str) -> int | None:
        """Raises VidsimError where two parts have vectors of different widths."""
        widths = [
            (part.width(name), path) for part, path in zip(self._parts, self._paths, strict=True)
        ]
        found: tuple[int, Path] | None = None
        for width, path in widths:
            if width is not None and found is not None and width != found[0]:
                raise VidsimError(
                    f"{name}: the vectors of {found[1]} have {found[0]} numbers and those of "
                    f"{path} have {width}; all files that are read together must have one width"
                )
            if width is not None and found is None:
                found = width, path
        return None if found is None else found[0]

    def load(self, name: str) -> Column:
        self.width(name)
        return FIELDS[name].column.concat([part.load(name) for part in self._parts])


def _check(name: str) -> None:
    if name not in FIELDS:
        raise KeyError(f"{name!r} is no field; fields are {', '.join(FIELDS)}")
