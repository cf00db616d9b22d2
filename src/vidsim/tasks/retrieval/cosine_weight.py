"""What the cosine of a model's embeddings counts beside its match head."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vidsim.metrics.retrieval import RetrievalEvaluator
from vidsim.tasks.job import Job
from vidsim.tasks.retrieval.configs import MOST_COSINE_WEIGHT, RetrievalEnsembleConfig
from vidsim.tasks.retrieval.match_blend import ScoredModel, blended_matches

TRIED = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, MOST_COSINE_WEIGHT)
"""By these the cosine is multiplied; log-odds of a match are seldom beyond 10, so that by the last
one cosines almost sort alone."""


def cosine_weights(
    config: RetrievalEnsembleConfig,
    recipes: Sequence[str],
    validations: Callable[[str], Sequence[tuple[RetrievalEvaluator, Mapping[str, Job]]]],
) -> dict[str, float]:
    """By recipe, what the cosine is multiplied by before it is added to the log-odds of a match.

    Args:
        config: with --cosine-weight, which counts for all, or None: each recipe's is fitted.
        recipes: their names.
        validations: of a recipe, the validation part of every fold: what judges it, and its files.

    Returns:
        {} where no match head scores.
    """
    if config.mode == "embedding":
        return {}
    given = config.cosine_weight
    if given is not None:
        return dict.fromkeys(recipes, given)
    return {name: _fitted(validations(name)) for name in recipes}


def in_words(weights: Mapping[str, float], fitted: bool) -> str:
    """The weights, for a protocol; empty where they are all 0."""
    if not any(weights.values()):
        return ""
    if len(set(weights.values())) == 1:
        found = f"{next(iter(weights.values())):g} times the cosine added to its log-odds"
    else:
        each = ", ".join(f"{weight:g} ({name})" for name, weight in weights.items())
        found = f"the cosine added to its log-odds, times {each}"
    return found + ", fitted on validation" * fitted


def _fitted(folds: Sequence[tuple[RetrievalEvaluator, Mapping[str, Job]]]) -> float:
    """That of TRIED with the greatest r_mean, a mean over folds; of equal ones the least."""

    def r_mean(weight: float) -> float:
        found = []
        for evaluate, jobs in folds:
            scores = blended_matches([ScoredModel(jobs, 1.0, weight)], "validation")
            marks = evaluate.metrics_of_scores(*scores, hidden=True)
            found.append(marks[evaluate.primary_metric])
        return float(np.mean(found))

    return max(TRIED, key=r_mean)
