"""What is predicted of the validation videos, each by models that have not seen it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidsim.blending.fit import Fit, fit_weights
from vidsim.blending.members import validation_path
from vidsim.config import Common
from vidsim.tasks.classification.fold_source import ClassFolds, class_evaluator
from vidsim.tasks.classification.probabilities import read_probabilities
from vidsim.tasks.classification.report import ENSEMBLE

METRIC = "mean_f1"
"""By which weights are fitted."""

Validated = dict[int, dict[str, np.ndarray]]
"""By fold and recipe, probabilities (V, C) of the fold's validation videos."""


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of all folds' validation videos, and what they score.

    Attributes:
        truth: (V,) class numbers, fold by fold.
        probabilities: (V, C) by recipe, the ensemble's last.
        folds: metrics by recipe and fold.
    """

    truth: np.ndarray
    probabilities: dict[str, np.ndarray]
    folds: dict[str, dict[int, dict[str, float]]]


def read_out_of_fold(common: Common, source: ClassFolds, recipes: Sequence[str]) -> Validated:
    """What inference left of the validation videos.

    Raises:
        VidsimError: a file is of other videos or classes.
    """
    found: Validated = {}
    for fold in source.folds:
        data = source.load(fold)
        ids = texts(data.table.ids[data.val])
        paths = {n: validation_path(common.task_dir, common.run(n), fold) for n in recipes}
        classes = source.videos.vocabulary.ids
        found[fold] = {n: read_probabilities(path, ids, classes) for n, path in paths.items()}
    return found


def fit_out_of_fold(source: ClassFolds, validated: Validated) -> Fit:
    """The weights by which the blend of the recipes has the best mean_f1."""
    recipes = next(iter(validated.values()))
    truth = _truth(source)
    folds = [np.full(len(source.load(fold).val), fold) for fold in validated]

    def judge(probabilities: np.ndarray, rows: np.ndarray) -> float:
        return class_evaluator(truth[rows], source.videos.vocabulary)(probabilities)[METRIC]

    return fit_weights({n: _pooled(validated, n) for n in recipes}, np.concatenate(folds), judge)


def blend_out_of_fold(
    source: ClassFolds, validated: Validated, weights: Mapping[str, float]
) -> OutOfFold:
    """The recipes' predictions and the blend's, with their metrics by fold."""
    whole = {fold: of | {ENSEMBLE: blend(of, weights)} for fold, of in validated.items()}
    names = (*weights, ENSEMBLE)
    judges = {fold: source.load(fold).evaluator() for fold in whole}
    return OutOfFold(
        truth=_truth(source),
        probabilities={name: _pooled(whole, name) for name in names},
        folds={
            name: {fold: judges[fold](of[name]) for fold, of in whole.items()} for name in names
        },
    )


def blend(found: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """The weighted mean (N, C); weights add up to one."""
    return np.sum([weights[name] * found[name] for name in weights], axis=0)


def texts(ids: np.ndarray) -> np.ndarray:
    """(N,) bytes -> (N,) str."""
    return np.char.decode(ids, "utf-8")


def _truth(source: ClassFolds) -> np.ndarray:
    """(V,) class numbers of the validation videos, fold by fold."""
    return np.concatenate([source.videos.classes[source.load(fold).val] for fold in source.folds])


def _pooled(validated: Validated, name: str) -> np.ndarray:
    """(V, C) of one recipe, fold by fold."""
    return np.concatenate([found[name] for found in validated.values()])
