"""From many models' embeddings to one vector per video.

Only cosines of the blended vectors are ever looked at, and every model was trained on its own, in
its own basis: coordinate 7 of one model has nothing to do with coordinate 7 of another. The three
methods differ in what they do about that.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import eigh

from vidsim.blending.row_source import RowSource, chunks
from vidsim.errors import VidsimError

MAX_DIMENSIONS = 256
"""The challenge accepts at most this many numbers for a video."""

Apply = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Rows of every recipe's matrix, each (K, D), to K rows of the blend, float64."""

Method = Callable[[Sequence[RowSource], Sequence[float]], Apply]
"""Looks at all rows of each recipe's matrix (N, D), and tells how any of them are blended."""


def l2_normalize(vectors: np.ndarray) -> np.ndarray:
    """Scales each row of (N, D) to length one; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


def weighted_sum(sources: Sequence[RowSource], weights: Sequence[float]) -> Apply:
    """Adds the vectors, each times its recipe's weight, as the 4th place published it.

    The dot product of two sums has a cosine of each recipe in it, and a cross-term of each two
    recipes that compares coordinates with nothing in common: noise, of which the other two methods
    are free.

    Shapes: each matrix (N, D); the rows are blended to (K, D).
    """

    def apply(matrices: Sequence[np.ndarray]) -> np.ndarray:
        total = np.zeros(matrices[0].shape)
        for weight, matrix in zip(weights, matrices, strict=True):
            total += weight * matrix.astype(np.float64)
        return total

    return apply


def aligned_sum(sources: Sequence[RowSource], weights: Sequence[float]) -> Apply:
    """Turns every recipe's basis onto the first recipe's before the weighted sum.

    A rotation changes no cosine of its recipe, but makes the cross-terms of ``weighted_sum`` speak
    of the same thing. The rotation R is the orthogonal matrix (reflections included) for which
    matrix R is nearest to the first matrix over these same videos; no label is used. It follows
    from the (D, D) cross matrix, a sum over the videos.

    Shapes: each matrix (N, D); the rows are blended to (K, D).

    Reference: Schönemann 1966, A generalized solution of the orthogonal Procrustes problem,
    Psychometrika 31(1).
    """
    rows, width = sources[0].shape
    crosses = np.zeros((len(sources) - 1, width, width))
    for chunk in chunks(rows):
        target = sources[0][chunk].astype(np.float64)
        for cross, source in zip(crosses, sources[1:], strict=True):
            cross += source[chunk].astype(np.float64).T @ target
    u, _, vt = np.linalg.svd(crosses)
    rotations = u @ vt  # (R - 1, D, D)
    add = weighted_sum(sources, weights)

    def apply(matrices: Sequence[np.ndarray]) -> np.ndarray:
        turned = [m @ rotation for m, rotation in zip(matrices[1:], rotations, strict=True)]
        return add([matrices[0], *turned])

    return apply


def side_by_side(matrices: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The matrices (K, D) of the recipes in one, (K, all D together) float64.

    Each is scaled by the square root of its weight: a dot product of two rows is the weighted sum
    of the recipes' own.
    """
    scaled = [np.sqrt(w) * m.astype(np.float64) for w, m in zip(weights, matrices, strict=True)]
    return np.concatenate(scaled, axis=1)


def concatenated_svd(sources: Sequence[RowSource], weights: Sequence[float]) -> Apply:
    """Sets the recipes side by side, then keeps the 256 directions that hold the most.

    Each matrix is scaled by the square root of its weight, so a dot product of two concatenations
    is exactly the weighted mean of the recipes' cosines: no cross-terms at all. The truncated
    singular value decomposition is the best approximation of those dot products with 256 numbers.
    It is fitted on the videos blended, without labels and without centring; the sign of each
    direction is fixed by its largest coefficient, so the result does not depend on the solver.

    The right singular vectors are the eigenvectors of the (R * D, R * D) Gram matrix, a sum over
    the rows. With fewer videos than columns they follow from the smaller (N, N) one, in a small
    part of the time.

    Shapes: each matrix (N, D), R of them; the rows are blended to (K, min(256, N, R * D)).

    Reference: Ma, Lou, Ouyang 2021, Top1 solution of QQ Browser 2021 AI algorithm competition
    track 1 (arXiv:2111.01677), the ensemble; the challenge's winner.
    """
    rows, width = sources[0].shape[0], sum(source.shape[1] for source in sources)
    kept = min(MAX_DIMENSIONS, rows, width)
    wide = (side_by_side([source[chunk] for source in sources], weights) for chunk in chunks(rows))
    if rows < width:
        vectors = _right_vectors(np.concatenate([*wide, np.zeros((0, width))]), kept)
    else:
        gram = np.zeros((width, width))
        for part in wide:
            gram += part.T @ part
        vectors = _largest(gram, kept)[1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(kept)])
    return lambda matrices: side_by_side(matrices, weights) @ vectors


def _right_vectors(wide: np.ndarray, kept: int) -> np.ndarray:
    """The right singular vectors (W, kept) of the largest singular values of (N, W), N < W.

    wide.T u = s v for the singular vectors u and v of the value s. Where s is zero but for
    rounding, u says nothing about v: the column is zero, and so are the numbers that come of it.
    """
    values, left = _largest(wide @ wide.T, kept)
    tiny = max(wide.shape) * np.finfo(np.float64).eps * values.max(initial=0)
    known = values > tiny
    scale = np.sqrt(np.where(known, values, 1))
    return np.where(known, wide.T @ left / scale, 0)


def _largest(gram: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues (kept,) and their vectors (M, kept) of (M, M), largest first."""
    size = len(gram)
    if kept == 0:
        return np.zeros(0), np.zeros((size, 0))
    values, vectors = eigh(gram, subset_by_index=[size - kept, size - 1])  # ascending
    return values[::-1], vectors[:, ::-1]


BLENDS: dict[str, Method] = {
    "sum": weighted_sum,
    "aligned": aligned_sum,
    "svd": concatenated_svd,
}


class Blend:
    """One matrix per recipe blended into one, itself a ``RowSource``: rows are made when asked for.

    Args:
        sources: (N, D) float, one per recipe, rows of the same videos in the same order. What the
            method must know of all rows is found out at once, in chunks.
        weights: one per matrix.
        method: a name in ``BLENDS``.
        raw: blend the vectors as they come, as published; by default each is first scaled to
            length one, so that a recipe counts by its weight and not by the length of its vectors.

    Attributes:
        shape: (N, D); fewer columns by "svd" where there are fewer than 256 videos.

    Raises:
        VidsimError: matrices of different shapes or of more than 256 columns.
    """

    def __init__(
        self, sources: Sequence[RowSource], weights: Sequence[float], method: str, raw: bool = False
    ):
        shapes = sorted({source.shape for source in sources})
        if len(shapes) != 1:
            raise VidsimError(f"embeddings of different shapes cannot be blended: {shapes}")
        if shapes[0][1] > MAX_DIMENSIONS:
            raise VidsimError(
                f"embeddings of {shapes[0][1]} numbers; the challenge accepts {MAX_DIMENSIONS}"
            )
        self._sources = sources if raw else [_Normalized(source) for source in sources]
        self._apply = BLENDS[method](self._sources, weights)
        self.shape = (shapes[0][0], self[:0].shape[1])

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """The rows (K, D) float32, by slice or by numbers (K,)."""
        return self._apply([source[rows] for source in self._sources]).astype(np.float32)


def blend(
    matrices: Sequence[np.ndarray], weights: Sequence[float], method: str, raw: bool = False
) -> np.ndarray:
    """The whole ``Blend``, (N, D) float32; same arguments and errors."""
    return Blend(matrices, weights, method, raw)[:]


class _Normalized:
    """The rows of a matrix scaled to length one."""

    def __init__(self, source: RowSource):
        self._source, self.shape = source, source.shape

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return l2_normalize(self._source[rows])
