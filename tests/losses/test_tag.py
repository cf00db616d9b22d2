"""Tag cross-entropy: by hand, against plain numpy, and at the ends of the number range."""

import numpy as np
import pytest
from keras import ops

from vidsim.losses.tag import binary_cross_entropy


def reference(labels, logits):
    p = 1 / (1 + np.exp(-logits))
    return -np.sum(labels * np.log(p) + (1 - labels) * np.log(1 - p), axis=-1)


@pytest.fixture
def example():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (4, 6)).astype("float64"), rng.normal(0, 3, (4, 6))


def test_by_hand(as_array):
    """Logits of 0 cost ln 2 each: 3 ln 2 = 2.0794 for three tags.

    Logit ln 3 is p = 3/4: present it costs ln(4/3) = 0.28768, absent ln 4 = 1.38629.
    """
    labels = np.array([[1, 0, 1], [1, 0, 0]], "uint8")
    logits = np.array([[0, 0, 0], [np.log(3), np.log(3), 0]], "float32")
    expected = [2.07944, 0.28768 + 1.38629 + 0.69315]
    np.testing.assert_allclose(as_array(binary_cross_entropy(labels, logits)), expected, rtol=1e-5)


def test_value_equals_the_reference(example, as_array):
    np.testing.assert_allclose(
        as_array(binary_cross_entropy(*example)), reference(*example), rtol=1e-10
    )


def test_gradient_equals_the_reference(example, gradients, central_differences):
    labels, logits = example
    logits[0, 0] = 0.0  # where |z|, a part of many stable forms, has no derivative
    (found,) = gradients(lambda z: binary_cross_entropy(labels, z), logits)
    expected = central_differences(lambda z: reference(labels, z), logits)
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_extreme_logits(dtype, gradients, as_array):
    """A tag that is surely wrong costs its logit, with gradient -1 or 1; a right one nothing."""
    labels = np.array([[1, 0, 1, 0]], "float32")
    logits = np.array([[100, -100, -100, 100]], "float32")
    value = as_array(binary_cross_entropy(labels, ops.cast(logits, dtype)))
    np.testing.assert_allclose(value, [200], rtol=1e-6)
    (found,) = gradients(lambda z: binary_cross_entropy(labels, z), logits, dtype=dtype)
    np.testing.assert_allclose(found, [[0, 0, -1, 1]], atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_summed_in_float32(dtype, as_array):
    """10,000 times ln 2: a bfloat16 sum would stop growing near 256."""
    labels, logits = np.zeros((1, 10_000), "uint8"), ops.zeros((1, 10_000), dtype)
    value = as_array(binary_cross_entropy(labels, logits))
    np.testing.assert_allclose(value, [10_000 * np.log(2)], rtol=1e-5)
