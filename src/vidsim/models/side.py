"""Words or frames of some videos, encoded alone: what a fusion of both sides reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from keras import ops

from vidsim.layers.numeric import Tensor, l2_normalize
from vidsim.layers.replicas import Replicas


@dataclass(frozen=True)
class Side:
    """Words or frames of B videos, encoded alone.

    Attributes:
        states: (B, S, width); what the mask hides has no meaning.
        mask: (B, S) bool, the real ones.
        vector: (B, W), what stands for all of them.
        feature: (B, D) float32, its projection, of length one; zeros where nothing is real.
    """

    states: Tensor
    mask: Tensor
    vector: Tensor
    feature: Tensor

    def take(self, rows: Tensor) -> "Side":
        """These rows (K,), in this order."""
        parts = (self.states, self.mask, self.vector, self.feature)
        return Side(*(ops.take(part, rows, axis=0) for part in parts))

    def gathered(self, replicas: Replicas) -> "Side":
        """The rows of all replicas."""
        parts = (self.states, self.mask, self.vector, self.feature)
        return Side(*(replicas.gather(part) for part in parts))


def make_side(states: Tensor, mask: Tensor, vector: Tensor, projected: Tensor) -> Side:
    """A side whose feature is the projected vector, scaled to length one.

    Args:
        states: see Side.
        mask: see Side.
        vector: see Side.
        projected: (B, D); not read where nothing is real.
    """
    some = ops.any(mask, axis=1, keepdims=True)
    return Side(states, mask, vector, ops.where(some, l2_normalize(projected), 0.0))


def joined(sides: Sequence[Side]) -> Side:
    """The rows of all sides, one after the other; all are padded alike."""
    names = ("states", "mask", "vector", "feature")
    return Side(*(ops.concatenate([getattr(side, name) for side in sides]) for name in names))
