"""The challenge's own measure: does the cosine of two embeddings rank pairs as people do?"""

import numpy as np

from vidsim.errors import VidsimError


def pair_cosine(embeddings: np.ndarray, rows_1: np.ndarray, rows_2: np.ndarray) -> np.ndarray:
    """Cosine of the two videos of every pair.

    Args:
        embeddings: (N, D) one row per video, any scale and any float type.
        rows_1: (P,) int, the row of each pair's first video.
        rows_2: (P,) int, the row of each pair's second video.

    Returns:
        (P,) float64. A video whose vector is zero has no direction: its cosines are 0, not NaN.
    """
    embeddings = np.asarray(embeddings)
    if embeddings.dtype != np.float64:
        embeddings = embeddings.astype(np.float32, copy=False)
    norms = np.sqrt(np.einsum("nd,nd->n", embeddings, embeddings, dtype=np.float64))
    dots = np.einsum("pd,pd->p", embeddings[rows_1], embeddings[rows_2], dtype=np.float64)
    scale = norms[rows_1] * norms[rows_2]
    return np.divide(dots, scale, out=np.zeros_like(dots), where=scale > 0)


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation, ties at their average rank.

    Args:
        a: (P,) numbers.
        b: (P,) numbers, in the same order.

    Returns:
        A number in [-1, 1]; NaN where there is no ranking to compare: ``a`` or ``b`` is constant or
        holds a NaN.

    Raises:
        VidsimError: fewer than two pairs.

    Reference: Spearman 1904, The proof and measurement of association between two things.
    """
    from scipy.stats import spearmanr  # takes a while to load, and who checks files needs none

    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"two lists of one length are needed, not {a.shape} and {b.shape}")
    if len(a) < 2:
        raise VidsimError(f"Spearman needs at least two pairs; there are {len(a)}")
    if np.ptp(a) == 0 or np.ptp(b) == 0:  # scipy gives the same NaN, with a warning
        return float("nan")
    statistic, _ = spearmanr(a, b)
    return float(statistic)


def rank_normalized(ratings: np.ndarray) -> np.ndarray:
    """The ratings' ranks, ties at their average rank, spread evenly over [0, 1].

    `(rank - lowest) / (highest - lowest)`: the order of the ratings, which Spearman looks at, is
    all that is left of them.

    Args:
        ratings: (P,) finite numbers.

    Returns:
        (P,) float32, the lowest rating's 0 and the highest's 1.

    Raises:
        VidsimError: all ratings are equal.

    Reference: the winner of the CIKM 2021 challenge (arXiv:2111.01677).
    """
    _, which, counts = np.unique(ratings, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise VidsimError(
            f"{len(ratings)} ratings, all equal: they have no order; leave --rank-labels out"
        )
    ranks = np.cumsum(counts) - (counts - 1) / 2  # of each different rating, from 1
    return ((ranks - ranks[0]) / (ranks[-1] - ranks[0]))[which].astype(np.float32)


class SpearmanEvaluator:
    """Scores a matrix of embeddings against the ratings of a fixed set of pairs.

    A trainer calls it with what the model gives now, and reads ``primary_metric`` and
    ``greater_is_better`` to know which checkpoint is the best; it knows nothing of the trainer.

    Shapes: P pairs over N videos; called with embeddings (N, D).

    Args:
        rows_1: (P,) int, the row of each pair's first video in the embeddings.
        rows_2: (P,) int, the row of each pair's second video.
        sim: (P,) float, the human rating.
        name: goes before the metric's name, so that two evaluators can be told apart.

    Raises:
        VidsimError: fewer than two pairs.
    """

    greater_is_better = True

    def __init__(self, rows_1: np.ndarray, rows_2: np.ndarray, sim: np.ndarray, name: str = ""):
        if not len(rows_1) == len(rows_2) == len(sim):
            raise ValueError(
                f"{len(rows_1)} and {len(rows_2)} rows, {len(sim)} ratings: not one set of pairs"
            )
        if len(sim) < 2:
            raise VidsimError(f"{name or 'Spearman'}: at least two pairs needed, not {len(sim)}")
        self.rows_1, self.rows_2 = np.asarray(rows_1), np.asarray(rows_2)
        self.sim = np.asarray(sim, np.float64)
        self.primary_metric = f"{name}_spearman" if name else "spearman"

    def __call__(self, embeddings: np.ndarray) -> dict[str, float]:
        """Returns {primary_metric: Spearman of the pairs' cosines against their ratings}."""
        cosines = pair_cosine(embeddings, self.rows_1, self.rows_2)
        return {self.primary_metric: spearman(cosines, self.sim)}
