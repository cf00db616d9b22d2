"""Asymmetric loss: by hand, against plain numpy, and where the published code gives NaN."""

import numpy as np
import pytest
from keras import ops

from vidsim.losses.asymmetric import asymmetric
from vidsim.losses.tag import binary_cross_entropy

SETTINGS = [
    (0.0, 1.0, 0.0),
    (0.0, 0.0, 0.0),
    (0.0, 4.0, 0.05),
    (1.0, 4.0, 0.05),
    (2.0, 3.0, 0.0),
    (0.5, 0.5, 0.2),
    (0.01, 0.01, 0.0),
    (0.01, 0.01, 0.05),
]


def reference(labels, logits, gamma_pos, gamma_neg, clip, weights_at=None):
    """The paper's formula; the focusing weights may be taken at other logits, to detach them."""

    def probabilities(z):
        p = 1 / (1 + np.exp(-z))
        return p, np.maximum(p - clip, 0)

    p, q = probabilities(logits)
    p_weight, q_weight = probabilities(logits if weights_at is None else weights_at)
    present = labels * (1 - p_weight) ** gamma_pos * np.log(p)
    absent = (1 - labels) * q_weight**gamma_neg * np.log(1 - q)
    return -np.sum(present + absent, axis=-1)


@pytest.fixture
def example():
    rng = np.random.default_rng(1)
    labels, logits = rng.integers(0, 2, (4, 6)).astype("float64"), rng.normal(0, 3, (4, 6))
    labels[0, :2], logits[0, :2] = 0, (-6.0, 0.0)  # one below every clip
    return labels, logits


def test_by_hand(as_array):
    """Logit ln 3 is p = 3/4, so log p = -0.28768 and log(1 - p) = -1.38629.

    (0, 1, 0): present 0.28768, absent 3/4 x 1.38629 = 1.03972, together 1.32740.
    (1, 2, 0): present 1/4 x 0.28768 = 0.07192, absent 9/16 x 1.38629 = 0.77979, together 0.85171.
    (0, 2, 1/4): q = 1/2, absent 1/4 x ln 2 = 0.17329, together 0.46097.
    (0, 1, 0.8): q = 0, absent 0.
    """
    labels, logits = np.array([[1, 0]], "uint8"), np.full((1, 2), np.log(3), "float32")
    cases = {(0, 1, 0): 1.32740, (1, 2, 0): 0.85171, (0, 2, 0.25): 0.46097, (0, 1, 0.8): 0.28768}
    for setting, expected in cases.items():
        value = as_array(asymmetric(labels, logits, *setting))
        np.testing.assert_allclose(value, [expected], rtol=1e-4)


def test_default_is_the_published_setting(example, as_array):
    """- sum [y log p + (1 - y) p log(1 - p)]."""
    labels, logits = example
    p = 1 / (1 + np.exp(-logits))
    expected = -np.sum(labels * np.log(p) + (1 - labels) * p * np.log(1 - p), axis=-1)
    np.testing.assert_allclose(as_array(asymmetric(labels, logits)), expected, rtol=1e-10)


def test_without_focusing_it_is_cross_entropy(example, as_array):
    np.testing.assert_allclose(
        as_array(asymmetric(*example, 0.0, 0.0)),
        as_array(binary_cross_entropy(*example)),
        rtol=1e-10,
    )


@pytest.mark.parametrize("setting", SETTINGS)
def test_value_equals_the_reference(setting, example, as_array):
    value = as_array(asymmetric(*example, *setting))
    np.testing.assert_allclose(value, reference(*example, *setting), rtol=1e-9)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("detach", [False, True])
def test_gradient_equals_the_reference(setting, detach, example, gradients, central_differences):
    labels, logits = example
    (found,) = gradients(lambda z: asymmetric(labels, z, *setting, detach_weight=detach), logits)
    at = logits if detach else None
    expected = central_differences(lambda z: reference(labels, z, *setting, weights_at=at), logits)
    np.testing.assert_allclose(found, expected, atol=2e-8)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_extreme_logits_stay_finite(setting, dtype, gradients, as_array):
    """The published code gives NaN from a logit of about 17 on: the gradient of 0 to the 0."""
    logits = np.repeat([[-100, -50, -17, -1, 0, 1, 17, 50, 100]], 2, axis=0).astype("float32")
    labels = np.repeat([[1], [0]], 9, axis=1).astype("float32")
    assert np.isfinite(as_array(asymmetric(labels, ops.cast(logits, dtype), *setting))).all()
    (found,) = gradients(lambda z: asymmetric(labels, z, *setting), logits, dtype=dtype)
    assert np.isfinite(found).all()


def test_extreme_logits_by_hand(gradients, as_array):
    """A tag surely and wrongly predicted costs its logit, 100, with gradient 1 towards right."""
    labels, logits = np.array([[1, 0]], "float32"), np.array([[-100, 100]], "float32")
    np.testing.assert_allclose(as_array(asymmetric(labels, logits)), [200], rtol=1e-6)
    (found,) = gradients(lambda z: asymmetric(labels, z), logits, dtype="float32")
    np.testing.assert_allclose(found, [[-1, 1]], rtol=1e-6)


@pytest.mark.parametrize("setting", [(-1, 1, 0), (0, -0.1, 0), (0, 1, -0.1), (0, 1, 1.0)])
def test_impossible_settings_are_refused(setting):
    with pytest.raises(ValueError, match=r"clip in \[0, 1\)"):
        asymmetric(np.zeros((1, 2)), np.zeros((1, 2)), *setting)
