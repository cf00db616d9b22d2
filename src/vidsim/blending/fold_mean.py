"""One recipe's mean over its folds, made of its members when its rows are asked for."""

from collections.abc import Sequence

import numpy as np

from vidsim.blending.blend import fold_mean
from vidsim.blending.row_source import RowSource
from vidsim.errors import VidsimError


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
