"""Matrices that are read some rows at a time, in memory or in files, and what is made of them so.

Everything here goes through the rows in chunks of a fixed size, so that memory does not grow with
the videos and sums are made in the same order each time.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from vidsim.metrics.spearman import pair_cosine

CHUNK = 1024
"""Rows in memory at a time. Another number adds up in another order: last bits change."""


class RowSource(Protocol):
    """A matrix (N, D) of floats that gives its rows by slice or by row numbers.

    A numpy array is one.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        ...

    def __getitem__(self, rows: slice | np.ndarray, /) -> np.ndarray:
        """The rows, (K, D)."""
        ...


def chunks(count: int) -> Iterator[slice]:
    """Slices of at most ``CHUNK`` that cover ``count`` rows in order."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


def source_cosine(
    source: RowSource, rows_1: np.ndarray, rows_2: np.ndarray, dtype: str = "float32"
) -> np.ndarray:
    """Cosine of the two videos of every pair; only rows of pairs are read.

    Args:
        source: (N, D) one row per video.
        rows_1: (P,) int, the row of each pair's first video.
        rows_2: (P,) int, the row of each pair's second video.
        dtype: the precision to which the vectors are rounded first.

    Returns:
        (P,) float64, as ``pair_cosine`` gives them.
    """
    found = np.empty(len(rows_1))
    for chunk in chunks(len(rows_1)):
        first, second = source[rows_1[chunk]], source[rows_2[chunk]]
        vectors = np.concatenate([first, second]).astype(dtype, copy=False)
        places = np.arange(len(first))
        found[chunk] = pair_cosine(vectors, places, places + len(first))
    return found
