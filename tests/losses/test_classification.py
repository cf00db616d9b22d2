"""Cross-entropy of one class: by hand, against plain numpy, and at the ends of the number range."""

import numpy as np
import pytest

from vidsim.losses.classification import softmax_cross_entropy
from vidsim.objectives.classification import ClassObjective
from vidsim.objectives.configs import ClassConfig
from vidsim.schema import CATEGORY, CLASS_LOGITS, CLASS_SHARES


def reference(labels, logits, smoothing):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = logits.shape[1]
    targets = (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes
    return -(targets * np.log(p)).sum(axis=1)


def test_by_hand(as_array):
    """Logits (ln 2, ln 1, ln 1) are p = (1/2, 1/4, 1/4): ln 2 for the first class, ln 4 for others.

    Smoothed by 0.3, targets are (0.8, 0.1, 0.1) for the first: 0.8 ln 2 + 0.2 ln 4 = 1.2 ln 2, and
    (0.1, 0.8, 0.1) for the second: 0.1 ln 2 + 0.9 ln 4 = 1.9 ln 2.
    """
    logits = np.log(np.array([[2, 1, 1], [2, 1, 1]], "float32"))
    for smoothing, expected in ((0.0, [1, 2]), (0.3, [1.2, 1.9])):
        found = as_array(softmax_cross_entropy(np.array([0, 1]), logits, smoothing))
        np.testing.assert_allclose(found, np.log(2) * np.array(expected), rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_value_and_gradient_equal_the_reference(
    smoothing, as_array, gradients, central_differences
):
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 5, 4), rng.normal(0, 3, (4, 5))
    expected = reference(labels, logits, smoothing)
    found = as_array(softmax_cross_entropy(labels, logits, smoothing))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    (slope,) = gradients(lambda z: softmax_cross_entropy(labels, z, smoothing), logits)
    numeric = central_differences(lambda z: reference(labels, z, smoothing), logits)
    np.testing.assert_allclose(slope, numeric, atol=1e-8)


def test_extreme_logits(as_array):
    """A class that is surely wrong costs the distance of its logit; a right one nothing."""
    logits = np.array([[1000, -1000], [1000, -1000]], "float32")
    found = as_array(softmax_cross_entropy(np.array([0, 1]), logits))
    np.testing.assert_allclose(found, [0, 2000])


def test_logits_adjusted_by_shares(as_array):
    """Equal logits are then the shares: p = (0.8, 0.2), and with twice the factor (16, 1) / 17."""
    inputs = {
        CATEGORY: np.array([0, 1]),
        CLASS_SHARES: np.array([[0.8, 0.2], [0.8, 0.2]], "float32"),
    }
    for factor, (one, other) in ((0.0, (0.5, 0.5)), (1.0, (0.8, 0.2)), (2.0, (16 / 17, 1 / 17))):
        objective = ClassObjective(ClassConfig(logit_adjustment=factor))
        found = as_array(objective.call({CLASS_LOGITS: np.zeros((2, 1, 2), "float32")}, inputs))
        assert found == pytest.approx(-(np.log(one) + np.log(other)) / 2, rel=1e-6)
