"""An honest estimate of the submission, from data that has labels.

Every rating of a fold's validation part was kept from that fold's models. Scored by those models
alone and then put together, nearly all rated pairs are judged by models that have not seen them;
only of a pair that was rated twice one rating may be in training and the other in validation, which
the report counts. The submission itself averages all folds, so it should do a little better.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidsim.blending.blend import Blend
from vidsim.blending.fit import Fit, fit_weights
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
    for fold in _read(fold_pairs, load, list(weights), seen):
        parts = list(fold.sources.values())
        blended = Blend(parts, list(weights.values()), method, raw)
        ratings.append(fold.pairs.sim[fold.first])
        for name, source in (*fold.sources.items(), (ENSEMBLE, blended)):
            cosines = fold.cosines(source)
            folds[name][fold.number] = spearman(cosines, fold.pairs.sim)
            pooled[name].append(cosines[fold.first])
    sim = np.concatenate(ratings)
    totals = {name: spearman(np.concatenate(cosines), sim) for name, cosines in pooled.items()}
    return {name: Scores(folds[name], totals[name]) for name in folds}, seen


def fit_out_of_fold(fold_pairs: Mapping[int, Pairs], load: Load, recipes: Sequence[str]) -> Fit:
    """The weights by which the mean of the recipes' cosines agrees most with the ratings.

    Args:
        fold_pairs: fold number -> its validation pairs.
        load: gives one model's embeddings of some videos.
        recipes: their names.
    """
    pooled: dict[str, list[np.ndarray]] = {name: [] for name in recipes}
    ratings, numbers = [], []
    for fold in _read(fold_pairs, load, recipes, set()):
        for name, source in fold.sources.items():
            pooled[name].append(fold.cosines(source)[fold.first])
        ratings.append(fold.pairs.sim[fold.first])
        numbers.append(np.full(len(ratings[-1]), fold.number))
    sim = np.concatenate(ratings)
    return fit_weights(
        {name: np.concatenate(cosines) for name, cosines in pooled.items()},
        np.concatenate(numbers),
        lambda cosines, rows: spearman(cosines, sim[rows]),
    )


@dataclass(frozen=True)
class _Fold:
    """One fold's validation pairs and the embeddings of their videos by its models.

    Attributes:
        number: of the fold.
        pairs: P of them.
        rows: (P, 2) their videos' rows in the sources.
        first: (P,) bool, whether a pair is in no earlier fold.
        sources: by recipe, (N, D).
    """

    number: int
    pairs: Pairs
    rows: np.ndarray
    first: np.ndarray
    sources: dict[str, RowSource]

    def cosines(self, source: RowSource) -> np.ndarray:
        """(P,) of the pairs."""
        return source_cosine(source, self.rows[:, 0], self.rows[:, 1])


def _read(
    fold_pairs: Mapping[int, Pairs],
    load: Load,
    recipes: Sequence[str],
    seen: set[tuple[bytes, bytes]],
) -> Iterator[_Fold]:
    """The folds one by one; ``seen`` gets the keys of their pairs."""
    for number, pairs in fold_pairs.items():
        ids, rows = np.unique(np.concatenate([pairs.id_1, pairs.id_2]), return_inverse=True)
        text = np.char.decode(ids, "utf-8")
        sources = {name: load(name, number, text) for name in recipes}
        yield _Fold(number, pairs, rows.reshape(2, -1).T, _first_time(pairs, seen), sources)


def _first_time(pairs: Pairs, seen: set[tuple[bytes, bytes]]) -> np.ndarray:
    """Which pairs (P,) bool are not in ``seen`` yet; they are when this returns."""
    first = np.ones(len(pairs), bool)
    for row, key in enumerate(pair_keys(pairs)):
        first[row] = key not in seen
        seen.add(key)
    return first
