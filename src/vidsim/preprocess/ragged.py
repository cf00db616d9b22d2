"""Rows of different lengths in two flat arrays: titles' tokens, videos' tags."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """N rows of integers; row i is ``values[splits[i]:splits[i + 1]]``.

    Shapes: values (sum of lengths,), splits (N + 1,) int64
    """

    values: np.ndarray
    splits: np.ndarray

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[int]], dtype: str = "int32") -> "Ragged":
        """Packs a list of lists."""
        lengths = np.fromiter((len(row) for row in rows), "int64", len(rows))
        values = np.concatenate([np.asarray(row, dtype) for row in rows]) if len(rows) else []
        return cls(np.asarray(values, dtype), np.concatenate([[0], np.cumsum(lengths)]))

    @classmethod
    def concat(cls, parts: Sequence["Ragged"]) -> "Ragged":
        """The rows of one or more, one after the other."""
        lengths = np.concatenate([np.diff(part.splits) for part in parts])
        values = np.concatenate([part.values for part in parts])
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]))

    def __len__(self) -> int:
        return len(self.splits) - 1

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """(B,) lengths of the given rows."""
        return self.splits[rows + 1] - self.splits[rows]

    def pad(self, rows: np.ndarray, fill: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The given rows side by side, as long as the longest of them (at least 1).

        Returns:
            values (B, L), mask (B, L) bool, True where a value is real.
        """
        lengths = self.lengths(rows)
        columns = np.arange(max(int(lengths.max(initial=0)), 1))
        mask = columns < lengths[:, None]
        padded = np.full(mask.shape, fill, self.values.dtype)
        padded[mask] = self.values[self._flat(rows, lengths)]
        return padded, mask

    def multi_hot(self, rows: np.ndarray, size: int) -> np.ndarray:
        """(B, size) uint8 with ones at each row's values."""
        lengths = self.lengths(rows)
        hot = np.zeros((len(rows), size), "uint8")
        hot[np.repeat(np.arange(len(rows)), lengths), self.values[self._flat(rows, lengths)]] = 1
        return hot

    def _flat(self, rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Indices into values of all the rows' elements, row after row."""
        starts = np.repeat(self.splits[rows] - np.cumsum(lengths) + lengths, lengths)
        return starts + np.arange(int(lengths.sum()))
