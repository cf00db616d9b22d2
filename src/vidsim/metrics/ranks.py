"""At which rank a query finds what is right for it, a block of the scores in memory at a time."""

from collections.abc import Iterator

import numpy as np

from vidsim.errors import VidsimError

_BLOCK = 1 << 22  # scores in memory at a time: 32 MiB of float64


def score_ranks(scores: np.ndarray, right: np.ndarray, hidden: bool = False) -> np.ndarray:
    """Rank of each query's best right answer in a matrix of scores; ties count against the model.

    Args:
        scores: (Q, N) numbers, a row a query, a column an item of the gallery, greater is better.
        right: (P, 2) int, pairs of a query and an item that is right for it; one or more a query.
        hidden: whether -inf is allowed, for items that were not scored, as in two-stage retrieval:
            they come after all others.

    Returns:
        (Q,) int64 from 1: the number of wrong items with a score >= the right one's, plus one. With
        one right answer that is the number of scores >= its own. Of several right answers the best
        counts, and they do not stand in each other's way.

    Raises:
        VidsimError: a score that is NaN, inf or, unless ``hidden``, -inf; a query without a right
            answer; a pair outside of the matrix.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.dtype.kind not in "fiu":
        raise VidsimError(
            f"scores have the shape {scores.shape} ({scores.dtype}); accepted are numbers "
            "(queries, gallery)"
        )
    right = checked_pairs(right, *scores.shape)
    ranks = np.empty(len(scores), np.int64)
    for start, stop in _blocks(*scores.shape):
        _check_scores(scores[start:stop], start, hidden)
        ranks[start:stop] = _block_ranks(scores[start:stop], _pairs_within(right, start, stop))
    return ranks


def embedding_ranks(queries: np.ndarray, gallery: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The same by cosine, with few rows of the (Q, N) scores in memory at a time.

    Products are summed in float64 and compared as float32: equal vectors then score equal wherever
    they stand, which a matrix product alone does not promise, and a model that gives every video
    the same vector gets the last rank and not one by luck.

    Args:
        queries: (Q, D) any scale, any float type. A zero vector has the cosine 0 to all.
        gallery: (N, D) the same.
        right: (P, 2) as above.

    Raises:
        VidsimError: numbers that are not finite, two widths, or as above.
    """
    queries, gallery = np.asarray(queries), np.asarray(gallery)
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise VidsimError(
            f"embeddings have the shapes {queries.shape} and {gallery.shape}; accepted are "
            "(queries, D) and (gallery, D)"
        )
    right = checked_pairs(right, len(queries), len(gallery))
    columns = _unit(gallery, "gallery", 0).T
    ranks = np.empty(len(queries), np.int64)
    for start, stop in _blocks(len(queries), len(gallery)):
        scores = (_unit(queries[start:stop], "queries", start) @ columns).astype(np.float32)
        ranks[start:stop] = _block_ranks(scores, _pairs_within(right, start, stop))
    return ranks


def checked_pairs(right: np.ndarray, queries: int, gallery: int) -> np.ndarray:
    """Pairs (P, 2) of a query and what is right for it, each once, sorted by query.

    Raises:
        VidsimError: no pairs, one that is out of range, or a query without one.
    """
    right = np.asarray(right)
    if right.ndim != 2 or right.shape[1] != 2 or right.dtype.kind not in "iu":
        raise VidsimError(
            f"right answers have the shape {right.shape} ({right.dtype}); accepted are pairs "
            "(query, item) of row numbers"
        )
    outside = np.flatnonzero(((right < 0) | (right >= [queries, gallery])).any(axis=1))
    if len(outside):
        query, item = right[outside[0]]
        raise VidsimError(
            f"right answer {outside[0]}: query {query}, item {item}; accepted are 0 to "
            f"{queries - 1} and 0 to {gallery - 1}"
        )
    missing = np.setdiff1d(np.arange(queries), right[:, 0])
    if len(missing) or not queries:
        which = f"query {missing[0]} has none" if queries else "there is no query"
        raise VidsimError(f"right answers: {which}; every query needs one or more")
    return np.unique(right.astype(np.int64), axis=0)


def _blocks(queries: int, gallery: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BLOCK // gallery)
    return ((start, min(start + step, queries)) for start in range(0, queries, step))


def _pairs_within(right: np.ndarray, start: int, stop: int) -> np.ndarray:
    first, last = np.searchsorted(right[:, 0], [start, stop])
    return right[first:last] - [start, 0]


def _block_ranks(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(Q, N) scores and the pairs of these queries -> (Q,) ranks."""
    queries, items = right.T
    starts = np.searchsorted(queries, np.arange(len(scores)))
    own = scores[queries, items]  # (P,)
    best = np.maximum.reduceat(own, starts)  # (Q,)
    as_good = np.add.reduceat((own >= best[queries]).astype(np.int64), starts)  # right ones
    return np.count_nonzero(scores >= best[:, None], axis=1) - as_good + 1


def _unit(vectors: np.ndarray, name: str, first: int) -> np.ndarray:
    """Rows of length one in float64; a zero row stays zero."""
    vectors = vectors.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise VidsimError(f"{name}: the embedding of row {first + wrong[0]} is not finite")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


def _check_scores(scores: np.ndarray, first: int, hidden: bool) -> None:
    wrong = ~np.isfinite(scores)
    if hidden:
        wrong &= ~np.isneginf(scores)
    if wrong.any():
        query, item = np.argwhere(wrong)[0]
        raise VidsimError(
            f"the score of query {first + query} and item {item} is {scores[query, item]}; "
            f"accepted are finite numbers{' and -inf' if hidden else ''}"
        )
