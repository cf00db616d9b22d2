"""Classes of one or two levels: accuracy, micro and macro F1, and their mean.

F1 of a class is 2 TP / (2 TP + FP + FN). Micro F1 adds up the counts of all classes first; with one
class a video it equals accuracy. Macro F1 is the mean over classes, as scikit-learn takes it: over
those that occur in the truth or among the predictions. A class that occurs in neither has no F1.

Reference: the measure of the Tencent WBDC 2022 challenge, the mean of four F1 of two levels.
"""

from collections.abc import Sequence

import numpy as np

from vidsim.errors import VidsimError


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each class was taken for each other.

    Args:
        truth: (N,) int, class numbers from 0.
        predicted: (N,) int.
        classes: C, how many there are.

    Returns:
        (C, C) int64, a row a true class, a column a predicted one.

    Raises:
        VidsimError: lists of two lengths, or a class number that is not one of the C.
    """
    truth, predicted = _checked(truth, classes, "label"), _checked(predicted, classes, "prediction")
    if len(truth) != len(predicted):
        raise VidsimError(f"{len(truth)} labels and {len(predicted)} predictions; as many needed")
    counts = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def f1_scores(truth: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Micro and macro F1 of one class a video.

    Args:
        truth: (N,) int, class numbers from 0, N at least 1.
        predicted: (N,) int.
    """
    classes = 1 + int(max(truth.max(), predicted.max()))
    right = np.bincount(truth[truth == predicted], minlength=classes)  # (C,) true positives
    both = np.bincount(truth, minlength=classes) + np.bincount(predicted, minlength=classes)
    present = both > 0  # 2 TP + FP + FN
    micro = 2 * right.sum() / both.sum()
    return float(micro), float((2 * right[present] / both[present]).mean())


class ClassificationEvaluator:
    """Scores the classes that a model gives to a fixed set of videos.

    A trainer calls it with what the model gives now, and reads ``primary_metric`` and
    ``greater_is_better`` to know which checkpoint is the best; it knows nothing of the trainer.

    Shapes: N videos, C classes; called with probabilities or logits (N, C).

    Args:
        labels: (N,) int, the class number of each video, from 0.
        parents: (C,) int, the number of each class's parent, where classes have two levels. The
            predicted parent is the parent of the predicted class. None: one level.
        name: goes before the metrics' names, so that two evaluators can be told apart.

    Raises:
        VidsimError: no video, or a label that is no class number.
    """

    greater_is_better = True

    def __init__(
        self, labels: Sequence[int] | np.ndarray, parents: np.ndarray | None = None, name: str = ""
    ):
        self.parents = None if parents is None else _checked(parents, None, "parent of class")
        self.labels = _checked(labels, None if parents is None else len(parents), "label")
        if not len(self.labels):
            raise VidsimError(f"{name or 'classification'}: there is no labelled video to judge by")
        self._prefix = f"{name}_" if name else ""
        self.primary_metric = f"{self._prefix}mean_f1"

    def __call__(self, scores: np.ndarray) -> dict[str, float]:
        """The metrics of the class with the greatest score, the first one of equal scores.

        Returns:
            accuracy, micro_f1, macro_f1 of the classes; with parents the same of these, lv1_
            before each; mean_f1, the mean of the two or four F1. From 0 to 1.

        Raises:
            VidsimError: scores of another shape, or that are not finite.
        """
        predicted = self.predictions(scores)
        metrics = _level(self.labels, predicted)
        if self.parents is not None:
            parent = _level(self.parents[self.labels], self.parents[predicted])
            metrics |= {f"lv1_{key}": value for key, value in parent.items()}
        f1 = [value for key, value in metrics.items() if key.endswith("_f1")]
        metrics["mean_f1"] = sum(f1) / len(f1)
        return {f"{self._prefix}{key}": value for key, value in metrics.items()}

    def predictions(self, scores: np.ndarray) -> np.ndarray:
        """(N, C) scores -> (N,) class numbers.

        Raises:
            VidsimError: scores of another shape, or that are not finite.
        """
        scores = np.asarray(scores)
        if self.parents is None:
            classes, at_least = int(self.labels.max()) + 1, "at least "
        else:
            classes, at_least = len(self.parents), ""
        fits = scores.ndim == 2 and len(scores) == len(self.labels)
        if not fits or scores.shape[1] < classes or (scores.shape[1] > classes and not at_least):
            raise VidsimError(
                f"scores of classes have the shape {scores.shape}; accepted is "
                f"({len(self.labels)}, {at_least}{classes}): a row a video, a column a class"
            )
        wrong = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(wrong):
            raise VidsimError(f"scores of classes: row {wrong[0]} is not finite")
        return scores.argmax(axis=1)


def _level(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    micro, macro = f1_scores(truth, predicted)
    return {
        "accuracy": float(np.mean(truth == predicted)),
        "micro_f1": micro,
        "macro_f1": macro,
    }


def _checked(numbers: Sequence[int] | np.ndarray, classes: int | None, what: str) -> np.ndarray:
    """(N,) int64 class numbers."""
    numbers = np.asarray(numbers)
    if numbers.ndim != 1 or (len(numbers) and numbers.dtype.kind not in "iu"):
        raise VidsimError(
            f"{what}s have the shape {numbers.shape} ({numbers.dtype}); accepted is a list of "
            "class numbers (N,)"
        )
    numbers = numbers.astype(np.int64)
    wrong = np.flatnonzero((numbers < 0) | (numbers >= (np.inf if classes is None else classes)))
    if len(wrong):
        upto = "from 0" if classes is None else f"0 to {classes - 1}"
        raise VidsimError(f"{what} {wrong[0]} is {numbers[wrong[0]]}; accepted are {upto}")
    return numbers
