"""One recipe's mean over its folds: of matrices, and of members when its rows are asked for."""

from collections.abc import Iterable, Sequence

import numpy as np

from vidsim.blending.blend import l2_normalize
from vidsim.blending.row_source import RowSource
from vidsim.errors import VidsimError


def fold_mean(members: Iterable[np.ndarray], raw: bool = False) -> np.ndarray:
    """The mean of one recipe's folds, taken one at a time so that only one is in memory.

    The folds of a recipe start from the same pretrained weights, so they share a basis well enough
    for their vectors to be averaged as they are.

    Args:
        members: (N, D) float matrices, at least one, rows of the same videos.
        raw: average the vectors as they come, as published; by default each is first scaled to
            length one, so that no fold counts more because its vectors are longer.

    Returns:
        (N, D) float32.
    """
    total, count = np.zeros(()), 0
    for member in members:
        vectors = member.astype(np.float64)
        if count and vectors.shape != total.shape:
            raise VidsimError(f"folds of shapes {total.shape} and {vectors.shape} have no mean")
        total, count = total + (vectors if raw else l2_normalize(vectors)), count + 1
    if not count:
        raise ValueError("the mean of no folds")
    return (total / count).astype(np.float32)


class FoldMean:
    """``fold_mean`` as a ``RowSource``.

    Args:
        members: (N, D) each, at least one, rows of the same videos.
        raw: average the vectors as they come.

    Attributes:
        shape: (N, D). Rows are given as float32.

    Raises:
        VidsimError: members of different shapes.
    """

    def __init__(self, members: Sequence[RowSource], raw: bool = False):
        shapes = list(dict.fromkeys(member.shape for member in members))
        if len(shapes) != 1:
            raise VidsimError(f"folds of shapes {shapes[0]} and {shapes[1]} have no mean")
        self._members, self._raw, self.shape = members, raw, shapes[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """The rows (K, D) float32, by slice or by numbers (K,)."""
        return fold_mean((member[rows] for member in self._members), self._raw)
