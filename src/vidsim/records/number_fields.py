"""Fields of integers: a list of any length, or one number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np

from vidsim.records.columns import Column, Hash, Kind, are_splits, joined_splits, picked, splits_of
from vidsim.records.tfrecord import Record
from vidsim.records.wire import EMPTY, INT64, Feature, WireError


@dataclass(frozen=True, eq=False)
class NumbersColumn(Column):
    """Lists of integers: list i is ``values[splits[i]:splits[i + 1]]``.

    Shapes: values (numbers of all lists,) int64, splits (N + 1,) int64
    """

    members: ClassVar[Mapping[str, str]] = {"values": "i8", "splits": "i8"}
    values: np.ndarray
    splits: np.ndarray

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Self:
        """Packs lists of integers."""
        values = np.array([number for numbers in lists for number in numbers], np.int64)
        return cls(values, splits_of(lists))

    def __len__(self) -> int:
        return len(self.splits) - 1

    def take(self, rows: np.ndarray) -> Self:
        return type(self)(*picked(self.values, self.splits, rows))

    @classmethod
    def concat(cls, columns: Sequence[Self]) -> Self:
        return cls(
            np.concatenate([column.values for column in columns]),
            joined_splits([column.splits for column in columns]),
        )

    @classmethod
    def empty(cls, rows: int) -> Self:
        return cls(np.zeros(0, np.int64), np.zeros(rows + 1, np.int64))

    def update(self, sha: Hash) -> None:
        sha.update(self.values.astype("<i8").tobytes())
        sha.update(self.splits.astype("<i8").tobytes())

    @property
    def filled(self) -> bool:
        return len(self.values) > 0

    @classmethod
    def check(
        cls, arrays: Mapping[str, np.ndarray], rows: int, size: int, width: int | None
    ) -> bool:
        """And whether every list lies within the values."""
        return super().check(arrays, rows, size, width) and are_splits(
            arrays["splits"], rows, len(arrays["values"])
        )


@dataclass(frozen=True, eq=False)
class NumberColumn(Column):
    """One integer of each video, or none.

    Shapes: values (N,) int64, present (N,) bool; a value that is not present is -1.
    """

    members: ClassVar[Mapping[str, str]] = {"values": "i8", "present": "?"}
    by_row: ClassVar[frozenset[str]] = frozenset(members)
    values: np.ndarray
    present: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Self:
        return type(self)(self.values[rows], self.present[rows])

    @classmethod
    def concat(cls, columns: Sequence[Self]) -> Self:
        return cls(
            np.concatenate([column.values for column in columns]),
            np.concatenate([column.present for column in columns]),
        )

    @classmethod
    def empty(cls, rows: int) -> Self:
        return cls(np.full(rows, -1, np.int64), np.zeros(rows, bool))

    def update(self, sha: Hash) -> None:
        sha.update(self.values.astype("<i8").tobytes() + self.present.tobytes())

    @property
    def filled(self) -> bool:
        return bool(self.present.any())


class Numbers(Kind):
    """A list of integers of 64 bits; absent is the same as empty."""

    column = NumbersColumn

    def parse(self, name: str, feature: Feature, record: Record, width: int | None) -> list[int]:
        return _integers(name, feature)

    def collect(self, values: Sequence[Sequence[int]]) -> NumbersColumn:
        return NumbersColumn.of(values)

    def check(self, value: Any) -> None:
        for number in value:
            _check_integer(number)

    def encode(self, value: Sequence[int]) -> Feature:
        return Feature(INT64, value)


class Number(Kind):
    """One integer of 64 bits, or none."""

    column = NumberColumn

    def parse(self, name: str, feature: Feature, record: Record, width: int | None) -> int | None:
        numbers = _integers(name, feature)
        if len(numbers) > 1:
            raise WireError(f"{name} has {len(numbers)} values; one fits")
        return numbers[0] if numbers else None

    def collect(self, values: Sequence[int | None]) -> NumberColumn:
        filled = [-1 if value is None else value for value in values]
        present = [value is not None for value in values]
        return NumberColumn(np.array(filled, np.int64), np.array(present, bool))

    def check(self, value: Any) -> None:
        _check_integer(value)

    def encode(self, value: int) -> Feature:
        return Feature(INT64, (value,))


def _integers(name: str, feature: Feature) -> list[int]:
    if feature.kind == EMPTY:
        return []
    if feature.kind != INT64:
        raise WireError(f"field {name} is of type {feature.kind}; int64 is expected")
    return [int(value) for value in feature.values]


def _check_integer(number: Any) -> None:
    if not isinstance(number, Integral) or not -(1 << 63) <= int(number) < 1 << 63:
        raise ValueError(f"{number!r:.60}; integers of 64 bits are expected")
