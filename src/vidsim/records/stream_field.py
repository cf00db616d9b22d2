"""Fields that are a sequence of vectors: a list of bytes, each element one vector of float16.

How many numbers a vector has is for the data to say: by the first vector of a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from vidsim.records.columns import Column, Hash, Kind
from vidsim.records.frame_values import odd_element
from vidsim.records.tfrecord import Record
from vidsim.records.wire import (
    BYTES,
    EMPTY,
    Feature,
    WireError,
    element_span,
    element_stride,
    first_element_bytes,
)


class Vectors(NamedTuple):
    """The vectors of one record: how many, where the first begins in the file, numbers in each."""

    count: int
    offset: int
    width: int


@dataclass(frozen=True, eq=False)
class StreamColumn(Column):
    """A sequence of vectors of N videos, left where they lie in the files.

    Attributes:
        count: (N,) int32, vectors of each video.
        offset: (N,) int64, byte of the video's file at which its first vector begins.
        width: numbers in a vector; None where no video has one.
    """

    members: ClassVar[Mapping[str, str]] = {"count": "i4", "offset": "i8"}
    by_row: ClassVar[frozenset[str]] = frozenset(members)
    count: np.ndarray
    offset: np.ndarray
    width: int | None

    def __len__(self) -> int:
        return len(self.count)

    @property
    def vector_bytes(self) -> int:
        """Bytes of one vector, of float16."""
        return 2 * (self.width or 0)

    @property
    def stride(self) -> int:
        """Bytes from one vector of a video to the next."""
        return element_stride(self.vector_bytes)

    @property
    def ends(self) -> np.ndarray:
        """(N,) int64, the byte behind each video's last vector; 0 where it has none."""
        last = self.offset + (self.count.astype(np.int64) - 1) * self.stride
        return np.where(self.count > 0, last + self.vector_bytes, 0)

    def take(self, rows: np.ndarray) -> Self:
        return type(self)(self.count[rows], self.offset[rows], self.width)

    @classmethod
    def concat(cls, columns: Sequence[Self]) -> Self:
        """The rows of columns with vectors of one width."""
        widths = {column.width for column in columns if column.width is not None}
        if len(widths) > 1:
            raise ValueError(f"vectors of {' and '.join(map(str, sorted(widths)))} numbers")
        return cls(
            np.concatenate([column.count for column in columns]),
            np.concatenate([column.offset for column in columns]),
            next(iter(widths), None),
        )

    @classmethod
    def empty(cls, rows: int) -> Self:
        return cls(np.zeros(rows, np.int32), np.zeros(rows, np.int64), None)

    def update(self, sha: Hash) -> None:
        """By the numbers of vectors; what is in them counts by the records' checksums."""
        sha.update(self.count.astype("<i4").tobytes())

    @property
    def filled(self) -> bool:
        return self.width is not None

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], width: int | None) -> Self:
        return cls(arrays["count"], arrays["offset"], width)

    @classmethod
    def check(
        cls, arrays: Mapping[str, np.ndarray], rows: int, size: int, width: int | None
    ) -> bool:
        """And whether all vectors lie within the file."""
        if not super().check(arrays, rows, size, width) or not width:
            return False
        if any((array < 0).any() or (array > size).any() for array in arrays.values()):
            return False
        # no product overflows: count has 31 bits, a stride is below the size
        return 0 < 2 * width <= size and bool((cls.from_arrays(arrays, width).ends <= size).all())


class Stream(Kind):
    """A sequence of vectors.

    Args:
        width: numbers in every vector; None where the data say it.
    """

    column = StreamColumn
    in_place = True

    def __init__(self, width: int | None = None):
        self.width = width

    def parse(
        self, name: str, feature: Feature, record: Record, width: int | None
    ) -> Vectors | None:
        if feature.kind == EMPTY:
            return None
        if feature.kind != BYTES:
            raise WireError(f"field {name} is of type {feature.kind}; bytes are expected")
        start, stop = (int(place) for place in feature.values)
        size = first_element_bytes(record.payload, start, stop)
        if size is None:
            return None
        if not size or size % 2:
            raise WireError(
                f"{name}: element 0 has {size} bytes; a vector of float16 numbers is expected, two "
                "bytes each"
            )
        span = self._span(name, record.payload, (start, stop), size)
        for wanted, where in ((self.width, "expected are"), (width, "those before it have")):
            if wanted is not None and size != 2 * wanted:
                raise WireError(f"{name}: vectors of {size // 2} numbers; {where} {wanted}")
        odd = odd_element(record.payload, span, size)
        if odd is not None:
            raise WireError(f"{name}: {odd}; every number must be finite")
        return Vectors(span.count, span.offset + record.offset, size // 2)

    def collect(self, values: Sequence[Vectors | None]) -> StreamColumn:
        rows = np.array([value or (0, 0, 0) for value in values], np.int64).reshape(-1, 3)
        width = next((value.width for value in values if value is not None), None)
        return StreamColumn(rows[:, 0].astype(np.int32), rows[:, 1].copy(), width)

    def check(self, value: Any) -> None:
        array = np.asarray(value)
        width = "d" if self.width is None else self.width
        right = array.dtype == np.float16 and array.ndim == 2 and array.shape[1] > 0
        if not right or (self.width is not None and array.shape[1] != self.width):
            raise ValueError(f"{array.dtype} {array.shape}; float16 (n, {width}) is expected")

    def encode(self, value: np.ndarray) -> Feature:
        little_endian = np.asarray(value).astype("<f2", copy=False)
        return Feature(BYTES, [vector.tobytes() for vector in little_endian])

    def width_of(self, value: Vectors | None) -> int | None:
        return None if value is None else value.width

    def _span(self, name: str, payload: bytes, place: tuple[int, int], size: int):
        try:
            return element_span(payload, *place, size)
        except WireError as error:
            raise WireError(
                f"{name}: {error}; element 0 has {size} bytes = {size // 2} float16 numbers, and "
                "all have the same size"
            ) from error
