"""Accuracy and F1 by hand, and at parity with scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from vidsim.errors import VidsimError
from vidsim.metrics.classification import ClassificationEvaluator, confusion, f1_scores


def one_hot(predicted, classes: int) -> np.ndarray:
    return np.eye(classes)[np.asarray(predicted)]


def test_two_levels_derived():
    """Classes 0 and 1 have the parent 0, 2 and 3 the parent 1; nobody has or gets class 3.

    Truth 0 0 1 2, predicted 0 1 1 1. TP, FP, FN: class 0: 1 0 1, F1 2/3; class 1: 1 2 0, F1 1/2;
    class 2: 0 0 1, F1 0. Accuracy and micro F1 2/4, macro F1 (2/3 + 1/2 + 0) / 3 = 7/18.
    Parents: truth 0 0 0 1, predicted 0 0 0 0. Parent 0: 3 1 0, F1 6/7; parent 1: 0. Accuracy and
    micro F1 3/4, macro F1 3/7. mean_f1 = (1/2 + 7/18 + 3/4 + 3/7) / 4.
    """
    evaluate = ClassificationEvaluator([0, 0, 1, 2], np.array([0, 0, 1, 1]))
    assert evaluate.primary_metric == "mean_f1" and evaluate.greater_is_better
    found = evaluate(one_hot([0, 1, 1, 1], 4))
    expected = {"accuracy": 1 / 2, "micro_f1": 1 / 2, "macro_f1": 7 / 18}
    expected |= {"lv1_accuracy": 3 / 4, "lv1_micro_f1": 3 / 4, "lv1_macro_f1": 3 / 7}
    expected["mean_f1"] = (1 / 2 + 7 / 18 + 3 / 4 + 3 / 7) / 4
    assert found == pytest.approx(expected)
    one_level = ClassificationEvaluator([0, 0, 1, 2], name="dev")(one_hot([0, 1, 1, 1], 3))
    assert one_level == pytest.approx(
        {
            "dev_accuracy": 1 / 2,
            "dev_micro_f1": 1 / 2,
            "dev_macro_f1": 7 / 18,
            "dev_mean_f1": 4 / 9,
        }
    )
    assert confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 4).tolist() == [
        [1, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("videos", "classes"), [(1, 1), (1, 5), (300, 20), (50, 60), (40, 1)])
def test_parity_with_scikit_learn(seed, videos, classes):
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=videos)
    logits = rng.normal(size=(videos, classes)).astype("float32") + 2 * one_hot(truth, classes)
    logits[rng.random(videos) < 0.2] = 0.5  # ties: the first class
    parents = rng.integers(1 + classes // 3, size=classes)
    evaluate = ClassificationEvaluator(truth, parents)
    predicted = evaluate.predictions(logits)
    expected = {}
    for start, a, b in (("", truth, predicted), ("lv1_", parents[truth], parents[predicted])):
        expected[f"{start}accuracy"] = accuracy_score(a, b)
        for kind in ("micro", "macro"):
            expected[f"{start}{kind}_f1"] = f1_score(a, b, average=kind)
    expected["mean_f1"] = np.mean([v for k, v in expected.items() if k.endswith("f1")])
    found = evaluate(logits)
    assert found == pytest.approx(expected)
    if classes > 1:  # scikit-learn warns of a single one
        expected = confusion_matrix(truth, predicted, labels=range(classes))
        assert (confusion(truth, predicted, classes) == expected).all()
    exps = np.exp(logits)
    assert evaluate(exps / exps.sum(1, keepdims=True)) == found  # probabilities or logits
    turn = rng.permutation(videos)
    assert ClassificationEvaluator(truth[turn], parents)(logits[turn]) == pytest.approx(found)


def test_classes_that_do_not_occur_do_not_count():
    """All right: 1, of two classes and of two hundred; and in a model that knows more classes."""
    truth = np.array([0, 3, 3])
    assert f1_scores(truth, truth) == (1, 1)
    assert set(ClassificationEvaluator(truth)(one_hot(truth, 200)).values()) == {1.0}
    assert f1_scores(truth, np.array([1, 1, 1])) == (0, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ClassificationEvaluator([]), "no labelled video"),
        (lambda: ClassificationEvaluator([0, -1]), "label 1 is -1; accepted are from 0"),
        (lambda: ClassificationEvaluator([0, 2], np.array([0, 0])), "label 1 is 2; .* 0 to 1"),
        (lambda: ClassificationEvaluator([0.0, 1.0]), "float64"),
        (lambda: ClassificationEvaluator([0], np.array([-1])), "parent of class 0 is -1"),
        (lambda: ClassificationEvaluator([0, 1])(np.zeros((3, 2))), r"accepted is \(2, at least 2"),
        (lambda: ClassificationEvaluator([0, 1])(np.zeros((2, 1))), "at least 2"),
        (
            lambda: ClassificationEvaluator([0], np.array([0, 1]))(np.zeros((1, 3))),
            r"accepted is \(1, 2\)",
        ),
        (lambda: ClassificationEvaluator([0, 1])(np.array([[0, 1], [np.nan, 1]])), "row 1"),
        (lambda: confusion(np.array([0]), np.array([0, 1]), 2), "1 labels and 2 predictions"),
        (lambda: confusion(np.array([0]), np.array([2]), 2), "prediction 0 is 2"),
    ],
)
def test_what_cannot_be_judged_is_named(call, message):
    with pytest.raises(VidsimError, match=message):
        call()
