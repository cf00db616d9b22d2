"""The match loss: by hand, and equal to a sigmoid of the difference of its two logits."""

import numpy as np

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
