"""One fold: which pairs train, which validate."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Fold:
    """A fold of N rated pairs.

    Attributes:
        index: 0 for the first.
        name: its folder under `pairwise/`, as published: "<first>-<last>val", the positions of
            its validation pairs among all validation pairs.
        train: int64 rows of the training pairs, in the order in which they are written.
        val: int64 rows of the validation pairs, likewise.
        dropped: number of pairs in neither part, because only one of their videos is validated.
    """

    index: int
    name: str
    train: np.ndarray
    val: np.ndarray
    dropped: int = 0
