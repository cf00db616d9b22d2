"""The real positions of a batch as rows of one matrix, so that padding costs next to nothing.

A batch is as long as its longest video. What a transformer does position by position (its dense
layers, norms and dropouts) needs no padding: the rows are packed before the first layer, spread out
for attention alone, and put back after the last. Of one matrix, product, bias and activation also
follow each other directly, and TensorFlow makes one kernel of them where no gradient is asked for.

Reference: Zeng et al. 2022, Boosting Distributed Training Performance of the Unpadded BERT Model
(arXiv:2208.08124).
"""

from abc import ABC, abstractmethod

import keras
from keras import ops

from vidsim.layers.numeric import Tensor

MULTIPLE = 32
"""Rows on TensorFlow are a multiple of it, or all: some padding makes up the number. TensorFlow
prepares a matrix product anew, and keeps it, for each number of rows."""


class Packing(ABC):
    """R rows for B videos of S positions each, and N heads of size H for attention.

    Args:
        mask: (B, S) bool, the real positions.
        heads: N.

    Attributes:
        mask: the same.
    """

    def __init__(self, mask: Tensor, heads: int):
        self.mask = mask
        self._heads = heads
        self._shape = ops.shape(mask)[0], ops.shape(mask)[1]

    @abstractmethod
    def rows(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (R, D)."""

    @abstractmethod
    def positions(self, rows: Tensor) -> Tensor:
        """(R, D) -> (B, S, D); padding is zeros, or what its row holds."""

    @abstractmethod
    def split_heads(self, rows: Tensor) -> Tensor:
        """(R, N * H) -> (B, N, S, H); padding as in ``positions``."""

    @abstractmethod
    def merge_heads(self, x: Tensor) -> Tensor:
        """(B, N, S, H) -> (R, N * H)."""


def pack(mask: Tensor, heads: int) -> Packing:
    """Rows for the real positions.

    On JAX, whose compiler must know the number of rows beforehand, for all positions.
    """
    kind = EveryPosition if keras.backend.backend() == "jax" else RealPositions
    return kind(mask, heads)


class RealPositions(Packing):
    """Rows of the real positions, a `MULTIPLE` of them.

    Each way is one gather, and the gradient of the way back.
    """

    def __init__(self, mask: Tensor, heads: int):
        super().__init__(mask, heads)
        batch, length = self._shape
        kept = _with_some_padding(ops.reshape(mask, (-1,)))  # (B * S,)
        self._place = ops.nonzero(kept)[0]  # (R,) the position of each row
        count = ops.shape(self._place)[0]
        self._row = ops.where(kept, _count(kept) - 1, count)  # (B * S,); R: there is none
        head = ops.arange(heads)
        video, position = self._place // length, self._place % length
        self._head_place = (video[:, None] * heads + head) * length + position[:, None]  # (R, N)
        row = ops.reshape(self._row, (batch, 1, length))
        self._head_row = ops.minimum(row * heads + head[:, None], count * heads)  # (B, N, S)

    def rows(self, x):
        flat = ops.reshape(x, (-1, x.shape[-1]))
        return _take(flat, self._place, self._row, some_missing=False)

    def positions(self, rows):
        flat = _take(rows, self._row, self._place, some_missing=True)
        return ops.reshape(flat, (*self._shape, rows.shape[-1]))

    def split_heads(self, rows):
        size = rows.shape[-1] // self._heads
        flat = ops.reshape(rows, (-1, size))
        return _take(flat, self._head_row, self._head_place, some_missing=True)

    def merge_heads(self, x):
        size = x.shape[-1]
        flat = ops.reshape(x, (-1, size))
        rows = _take(flat, self._head_place, self._head_row, some_missing=False)  # (R, N, H)
        return ops.reshape(rows, (-1, self._heads * size))


class EveryPosition(Packing):
    """Padding has rows too; all shapes are those of the batch."""

    def rows(self, x):
        return ops.reshape(x, (-1, x.shape[-1]))

    def positions(self, rows):
        return ops.reshape(rows, (*self._shape, rows.shape[-1]))

    def split_heads(self, rows):
        x = ops.reshape(rows, (*self._shape, self._heads, rows.shape[-1] // self._heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def merge_heads(self, x):
        return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, self._heads * x.shape[-1]))


def _with_some_padding(real):
    """The real positions of (P,), and padding until there are a multiple of `MULTIPLE` or all."""
    count = ops.sum(ops.cast(real, "int32"))
    padding = ops.logical_not(real)
    return ops.logical_or(real, _count(padding) <= -count % MULTIPLE)


def _count(chosen):
    """How many there are up to each position, itself included."""
    return ops.cumsum(ops.cast(chosen, "int32"))


def _take(x, index, inverse, some_missing):
    """Rows of x (M, W); zeros where the index is M. Its gradient takes by the inverse.

    An index (...) into x, an inverse of M numbers into the result's rows: each undoes the other.
    """

    @ops.custom_gradient
    def taken(x):
        def gradient(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            flat = ops.reshape(upstream, (-1, x.shape[-1]))
            return ops.reshape(_take(flat, inverse, index, not some_missing), ops.shape(x))

        source = x
        if some_missing:
            source = ops.concatenate([x, ops.zeros((1, x.shape[-1]), x.dtype)])
        return ops.take(source, index, axis=0), gradient

    return taken(x)
