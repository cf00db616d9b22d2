"""Weights of a blend, fitted to predictions of data that the models were not trained on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

FIT = "fit"
"""What --weights is given for weights that are fitted."""
VOTES = 50
"""Votes that are given, besides the first one of every model. A model that gets none of them keeps
a weight of at least 1 / (VOTES + models)."""

Judge = Callable[[np.ndarray, np.ndarray], float]
"""(predictions (K, ...), their row numbers (K,)) -> their score, the higher the better."""


@dataclass(frozen=True)
class Fit:
    """Fitted weights and what they are worth.

    Attributes:
        weights: by model; they add up to one.
        score: of the blend on the rows that the weights were fitted to; on other rows it is lower.
        equal: of the blend with equal weights, which nothing was fitted for.
        cross_fitted: of the blend where the rows of each fold are blended by weights that were
            fitted to the other folds; None where there is one fold.
    """

    weights: dict[str, float]
    score: float
    equal: float
    cross_fitted: float | None

    def words(self, source: str, metric: str) -> str:
        """What a reader of the report must know of them: a sentence, and the weights.

        Args:
            source: what they are and were fitted to.
            metric: the score's name.
        """
        scores = f"{metric} {self.score:.4f}, equal weights {self.equal:.4f}"
        if self.cross_fitted is not None:
            scores += f"; each fold by weights fitted to the others: {self.cross_fitted:.4f}"
            if self.cross_fitted < self.equal:
                scores += ", so that equal weights may do better on other data"
        weights = ", ".join(f"{name} {weight:.4f}" for name, weight in self.weights.items())
        return f"{source}, on which they score too well ({scores}): {weights}"

    def to_json(self) -> dict[str, float | None]:
        """The three scores, for a report."""
        return {"score": self.score, "equal_weights": self.equal, "out_of_fold": self.cross_fitted}


def fit_weights(predictions: Mapping[str, np.ndarray], folds: np.ndarray, judge: Judge) -> Fit:
    """Finds the weights by which a blend, the weighted mean of predictions, scores highest.

    Every model has one vote; then, one by one, VOTES are added, each to the model with which the
    score is highest by it. Of all weights on the way, equal ones first, the best are taken. That
    few votes are given, and begin at equal weights, keeps weights from following noise.

    Args:
        predictions: by model, (N, ...) of the same N rows, out of fold.
        folds: (N,) the fold of each row.
        judge: scores some rows.

    Reference: Caruana et al. 2004, Ensemble selection from libraries of models (ICML), section 2:
    selection with replacement; theirs starts from the best models.
    """
    names, stacked = list(predictions), np.stack(list(predictions.values()))
    every = np.arange(len(folds))
    votes = _votes(stacked, every, judge)
    numbers = np.unique(folds)
    cross_fitted = None
    if len(numbers) > 1:
        blended = np.empty(stacked.shape[1:], np.float64)
        for fold in numbers:
            of_others = _votes(stacked, np.flatnonzero(folds != fold), judge)
            blended[folds == fold] = _mean(stacked[:, folds == fold], of_others)
        cross_fitted = judge(blended, every)
    return Fit(
        weights=dict(zip(names, (votes / votes.sum()).tolist(), strict=True)),
        score=judge(_mean(stacked, votes), every),
        equal=judge(_mean(stacked, np.ones(len(names))), every),
        cross_fitted=cross_fitted,
    )


def _votes(stacked: np.ndarray, rows: np.ndarray, judge: Judge) -> np.ndarray:
    """(M,) votes of the models, by the rows (K,) of their predictions (M, N, ...)."""
    part = stacked[:, rows].astype(np.float64)
    votes, total = np.ones(len(part)), part.sum(axis=0)
    best, kept = _score(judge, total / votes.sum(), rows), votes.copy()
    for count in range(len(part) + 1, len(part) + 1 + VOTES * (len(part) > 1)):
        scores = [_score(judge, (total + one) / count, rows) for one in part]
        chosen = int(np.argmax(scores))
        total, votes[chosen] = total + part[chosen], votes[chosen] + 1
        if scores[chosen] > best:
            best, kept = scores[chosen], votes.copy()
    return kept


def _score(judge: Judge, values: np.ndarray, rows: np.ndarray) -> float:
    """The judge's; -inf where it is not a number, as the correlation of constants."""
    found = judge(values, rows)
    return float(found) if np.isfinite(found) else -np.inf


def _mean(parts: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """The mean (K, ...) of M models' predictions (M, K, ...) by votes (M,)."""
    return np.tensordot(votes / votes.sum(), parts.astype(np.float64), axes=1)
