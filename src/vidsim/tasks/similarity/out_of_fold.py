"""An honest estimate of the submission, from data that has labels.

Every rating of a fold's validation part was kept from that fold's models. Scored by those models
alone and then put together, nearly all rated pairs are judged by models that have not seen them;
only of a pair that was rated twice one rating may be in training and the other in validation, which
the report counts. The submission itself averages all folds, so it should do a little better.
"""

from collections.abc import Callable, Mapping

import numpy as np

from vidsim.blending.blend import Blend
from vidsim.blending.row_source import RowSource, source_cosine
from vidsim.metrics.spearman import spearman
from vidsim.records.pairs import Pairs, pair_keys
from vidsim.tasks.similarity.scores import ENSEMBLE, Scores

Load = Callable[[str, int, np.ndarray], RowSource]
"""(recipe, fold, ids (N,) str) -> (N, D): the embeddings of those videos by the fold's model."""


def score_out_of_fold(
    fold_pairs: Mapping[int, Pairs],
    load: Load,
    weights: Mapping[str, float],
    method: str,
    raw: bool,
) -> tuple[dict[str, Scores], set[tuple[bytes, bytes]]]:
    """Scores each recipe, and the blend of a fold's models of all recipes, out of fold.

    Cosines are pooled over the folds as they are, each pair once, where it comes first; (a, b) and
    (b, a) are one pair.

    Args:
        fold_pairs: fold number -> its validation pairs.
        load: gives one model's embeddings of some videos.
        weights: recipe -> weight.
        method: a name in ``blend.BLENDS``.
        raw: blend the vectors as they come.

    Returns:
        Scores by recipe, the ensemble last; and the keys of the pairs pooled.

    Raises:
        VidsimError: a fold with fewer than two validation pairs.
    """
    folds: dict[str, dict[int, float]] = {name: {} for name in (*weights, ENSEMBLE)}
    pooled: dict[str, list[np.ndarray]] = {name: [] for name in folds}
    ratings: list[np.ndarray] = []
    seen: set[tuple[bytes, bytes]] = set()
    for fold, pairs in fold_pairs.items():
        ids, rows = np.unique(np.concatenate([pairs.id_1, pairs.id_2]), return_inverse=True)
        text = np.char.decode(ids, "utf-8")
        matrices = {name: load(name, fold, text) for name in weights}
        matrices[ENSEMBLE] = Blend(list(matrices.values()), list(weights.values()), method, raw)
        first = _first_time(pairs, seen)
        ratings.append(pairs.sim[first])
        for name, matrix in matrices.items():
            cosines = source_cosine(matrix, rows[: len(pairs)], rows[len(pairs) :])
            folds[name][fold] = spearman(cosines, pairs.sim)
            pooled[name].append(cosines[first])
    sim = np.concatenate(ratings)
    totals = {name: spearman(np.concatenate(cosines), sim) for name, cosines in pooled.items()}
    return {name: Scores(folds[name], totals[name]) for name in folds}, seen


def _first_time(pairs: Pairs, seen: set[tuple[bytes, bytes]]) -> np.ndarray:
    """Which pairs (P,) bool are not in ``seen`` yet; they are when this returns."""
    first = np.ones(len(pairs), bool)
    for row, key in enumerate(pair_keys(pairs)):
        first[row] = key not in seen
        seen.add(key)
    return first
