"""Fields of text: one bytes value in UTF-8."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, overload

import numpy as np

from vidsim.records.columns import Column, Hash, Kind, are_splits, joined_splits, picked, splits_of
from vidsim.records.tfrecord import Record
from vidsim.records.wire import BYTES, EMPTY, Feature, WireError

_AT_ONCE = 1 << 16  # texts that are Python's strings at the same time


@dataclass(frozen=True, eq=False)
class TextColumn(Column, Sequence[str]):
    """N texts: text i is ``data[splits[i]:splits[i + 1]]`` in UTF-8; "" where there is none.

    Shapes: data (bytes of all texts,) uint8, splits (N + 1,) int64
    """

    members: ClassVar[Mapping[str, str]] = {"data": "u1", "splits": "i8"}
    data: np.ndarray
    splits: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Self:
        """Packs texts in UTF-8."""
        return cls(np.frombuffer(b"".join(texts), np.uint8), splits_of(texts))

    def __len__(self) -> int:
        return len(self.splits) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._decoded(start, max(start, stop))
            return [self[place] for place in range(start, stop, step)]
        place = range(len(self))[index]
        return self.data[self.splits[place] : self.splits[place + 1]].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._decoded(start, min(start + _AT_ONCE, len(self)))

    def take(self, rows: np.ndarray) -> Self:
        return type(self)(*picked(self.data, self.splits, rows))

    @classmethod
    def concat(cls, columns: Sequence[Self]) -> Self:
        return cls(
            np.concatenate([column.data for column in columns]),
            joined_splits([column.splits for column in columns]),
        )

    @classmethod
    def empty(cls, rows: int) -> Self:
        return cls(np.zeros(0, np.uint8), np.zeros(rows + 1, np.int64))

    def update(self, sha: Hash) -> None:
        """As the texts with a line feed between them."""
        for start in range(0, len(self), _AT_ONCE):
            texts = self._texts(start, min(start + _AT_ONCE, len(self)))
            sha.update(b"\n" * bool(start) + b"\n".join(texts))

    @property
    def filled(self) -> bool:
        return len(self.data) > 0

    @classmethod
    def check(
        cls, arrays: Mapping[str, np.ndarray], rows: int, size: int, width: int | None
    ) -> bool:
        """And whether each text is UTF-8 from end to end."""
        if not super().check(arrays, rows, size, width):
            return False
        if not are_splits(arrays["splits"], rows, len(arrays["data"])):
            return False
        column = cls(**arrays)
        starts = column.splits[:-1]
        first = column.data[starts[starts < len(column.data)]]
        if (first & 0xC0 == 0x80).any():  # a text begins within a character
            return False
        try:
            for start in range(0, rows, _AT_ONCE):
                column._bytes(start, min(start + _AT_ONCE, rows)).decode()
        except UnicodeDecodeError:
            return False
        return True

    def _bytes(self, start: int, stop: int) -> bytes:
        return self.data[self.splits[start] : self.splits[stop]].tobytes()

    def _texts(self, start: int, stop: int) -> list[bytes]:
        """The texts of neighbouring rows, in UTF-8."""
        data = self._bytes(start, stop)
        ends = (self.splits[start : stop + 1] - self.splits[start]).tolist()
        return [data[a:b] for a, b in itertools.pairwise(ends)]

    def _decoded(self, start: int, stop: int) -> list[str]:
        return [text.decode() for text in self._texts(start, stop)]


class Text(Kind):
    """A text; absent is the same as empty."""

    column = TextColumn

    def parse(self, name: str, feature: Feature, record: Record, width: int | None) -> bytes:
        kind, values = feature
        if kind == EMPTY or (kind == BYTES and not values):
            return b""
        if kind != BYTES or len(values) != 1 or not isinstance(values[0], bytes):
            raise WireError(f"field {name} is {len(values)} {kind} values; 1 bytes value fits")
        try:
            values[0].decode()
        except UnicodeDecodeError as error:
            raise WireError(f"{name} is not UTF-8: {error}") from error
        return values[0]

    def collect(self, values: Sequence[bytes]) -> TextColumn:
        return TextColumn.of(values)

    def check(self, value: Any) -> None:
        if not isinstance(value, str):
            raise ValueError(f"{type(value).__name__}; a text (str) is expected")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"no text that UTF-8 can hold ({error})") from None

    def encode(self, value: str) -> Feature:
        return Feature(BYTES, (value.encode(),))
