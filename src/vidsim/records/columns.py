"""What is common to the kinds of fields: how one is read, and the column that its values become.

A column holds flat arrays, which are the members of the index, and never an object per video: the
titles of a million videos are 60 MB as bytes and more than twice that as Python's strings.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from vidsim.records.tfrecord import Record
from vidsim.records.wire import Feature


class Hash(Protocol):
    """A hash of hashlib."""

    def update(self, data: bytes, /) -> None:
        """Adds bytes."""


class Column(ABC):
    """One field of N videos.

    Attributes:
        members: the arrays that a column is made of, by name, with their types.
        by_row: those of them that have an element for each video.
    """

    members: ClassVar[Mapping[str, str]]
    by_row: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, rows: np.ndarray) -> Self:
        """The column of these rows (K,), which may repeat, in this order."""

    @classmethod
    @abstractmethod
    def concat(cls, columns: Sequence[Self]) -> Self:
        """The rows of one or more columns, one column after the other."""

    @classmethod
    @abstractmethod
    def empty(cls, rows: int) -> Self:
        """The column of videos that say nothing of the field."""

    @abstractmethod
    def update(self, sha: Hash) -> None:
        """Adds the content to a hash, the same for equal columns."""

    @property
    @abstractmethod
    def filled(self) -> bool:
        """Whether some video says anything of the field."""

    def arrays(self) -> dict[str, np.ndarray]:
        """The members, as `from_arrays` takes them."""
        return {name: getattr(self, name) for name in self.members}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], width: int | None) -> Self:
        """The column of these members; `width` is that of a stream."""
        return cls(**arrays)

    @classmethod
    def check(
        cls, arrays: Mapping[str, np.ndarray], rows: int, size: int, width: int | None
    ) -> bool:
        """Whether members that came with a file can be those of a column.

        Args:
            arrays: the members.
            rows: how many videos there are.
            size: bytes of the file of records.
            width: of the vectors of a stream; None where there are none.
        """
        if arrays.keys() != cls.members.keys():
            return False
        right = all(
            array.ndim == 1 and array.dtype == cls.members[name] for name, array in arrays.items()
        )
        return right and all(len(arrays[name]) == rows for name in cls.by_row)


class Kind(ABC):
    """How a field of one kind is read from a record, checked and written.

    Attributes:
        column: the type of its columns.
        in_place: whether its values stay in the file.
    """

    column: ClassVar[type[Column]]
    in_place: ClassVar[bool] = False

    @abstractmethod
    def parse(self, name: str, feature: Feature, record: Record, width: int | None) -> Any:
        """The value that a record has.

        Args:
            name: of the field, for errors.
            feature: what `parse_example` found; of kind EMPTY where the record has no such field.
            record: the record.
            width: of the vectors that other records of the file have; None if there were none.

        Raises:
            WireError: it is no value of this kind.
        """

    @abstractmethod
    def collect(self, values: Sequence[Any]) -> Column:
        """The column of what `parse` made of N records."""

    @abstractmethod
    def check(self, value: Any) -> None:
        """Whether a value can be written.

        Raises:
            ValueError: it cannot; with what came and what is accepted.
        """

    @abstractmethod
    def encode(self, value: Any) -> Feature:
        """A value that was checked, as it stands in a record."""

    def width_of(self, value: Any) -> int | None:
        """Width of the vectors in what `parse` made; None where there are none."""
        return None


def splits_of(lists: Sequence[Any]) -> np.ndarray:
    """(N + 1,) int64: where each of N lists begins when they stand one after the other."""
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    return np.concatenate(([0], np.cumsum(lengths)))


def picked(values: np.ndarray, splits: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Values and splits of some of the lists."""
    rows = np.asarray(rows, np.int64)
    lengths = np.diff(splits)[rows]
    ends = np.concatenate(([0], np.cumsum(lengths)))
    picked = np.repeat(splits[rows] - ends[:-1], lengths) + np.arange(ends[-1])
    return values[picked], ends


def joined_splits(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The splits of lists of several parts, one part after the other."""
    before = np.cumsum([0, *(part[-1] for part in parts)])
    later = [part[1:] + start for part, start in zip(parts, before, strict=False)]
    return np.concatenate(([0], *later)).astype(np.int64)


def are_splits(splits: np.ndarray, rows: int, total: int) -> bool:
    """Whether these are splits of so many lists with so many values in all."""
    if len(splits) != rows + 1 or splits[0] or splits[-1] != total:
        return False
    return not (splits[1:] < splits[:-1]).any()
