"""The match loss: by hand, and equal to a sigmoid of the difference of its two logits."""

import numpy as np
import pytest
from keras import ops

from vidsim.losses.matching import match_loss


def test_by_hand(as_array):
    """Logits (0, ln 3) are a match by 3/4: -log 3/4 = 0.28768 where it is one, else -log 1/4."""
    logits = np.array([[0, np.log(3)], [0, np.log(3)], [5, 5]], "float32")
    loss = as_array(match_loss(np.array([True, False, True]), logits))
    np.testing.assert_allclose(loss, [0.287682, 1.386294, 0.693147], rtol=1e-5)


def test_it_is_binary_cross_entropy_of_one_logit(as_array):
    rng = np.random.default_rng(0)
    z, labels = rng.normal(0, 3, 50), rng.integers(0, 2, 50)
    p = 1 / (1 + np.exp(-z))
    expected = -labels * np.log(p) - (1 - labels) * np.log(1 - p)
    found = as_array(match_loss(labels, np.stack([np.zeros(50), z], axis=1)))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_extreme_logits_stay_finite(dtype, gradients, as_array):
    """The wrong answer by 200 costs 200, with the gradients of its two logits 1 and -1."""
    logits = np.array([[6e4, -6e4], [-6e4, 6e4], [0, 0], [100, -100]], "float32")
    labels = np.array([1, 1, 0, 1])
    loss = as_array(match_loss(labels, ops.cast(logits, dtype)))
    assert np.isfinite(loss).all()
    np.testing.assert_allclose(loss[1:], [0, np.log(2), 200], rtol=1e-6)
    (found,) = gradients(lambda z: match_loss(labels, z), logits, dtype=dtype)
    np.testing.assert_allclose(found, [[1, -1], [0, 0], [-0.5, 0.5], [1, -1]], atol=1e-6)
