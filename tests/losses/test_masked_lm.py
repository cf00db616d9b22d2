"""Masked language modelling: by hand, against plain loops, and with nothing masked."""

import math

import numpy as np
import pytest
from keras import ops

from vidsim.losses.masked_lm import masked_lm


def reference(labels, logits, weights):
    total = 0.0
    for b, p in np.ndindex(labels.shape):
        if weights[b, p]:
            log_sum = math.log(np.sum(np.exp(logits[b, p])))
            total += weights[b, p] * (log_sum - logits[b, p, labels[b, p]])
    return total / weights.sum() if weights.any() else 0.0


@pytest.fixture
def example():
    rng = np.random.default_rng(4)
    weights = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]])
    return rng.integers(0, 5, (2, 3)), rng.normal(0, 2, (2, 3, 5)), weights


def test_by_hand(as_array):
    """Equal logits over 4 words cost ln 4 = 1.38629; logits (ln 5, 0, 0, 0) for word 0, ln(8/5).

    The third slot is unused. With weights (1, 3): (1.38629 + 3 x 0.47000) / 4 = 0.69908.
    """
    logits = np.zeros((1, 3, 4), "float32")
    logits[0, 1, 0], logits[0, 2] = math.log(5), 50
    labels, weights = np.array([[2, 0, 1]]), np.array([[1, 3, 0]], "float32")
    assert as_array(masked_lm(labels, logits, weights)) == pytest.approx(0.69908, abs=1e-5)


def test_value_equals_the_reference(example, as_array):
    assert as_array(masked_lm(*example)) == pytest.approx(reference(*example), rel=1e-10)


def test_gradient_equals_the_reference(example, gradients, central_differences):
    labels, logits, weights = example
    (found,) = gradients(lambda z: masked_lm(labels, z, weights), logits)
    expected = central_differences(lambda z: reference(labels, z, weights), logits)
    np.testing.assert_allclose(found, expected, atol=1e-8)
    assert not found[weights == 0].any()


def test_unused_slots_are_not_read(example, as_array):
    """An id outside the vocabulary, -100 by custom, may mark a slot as unused."""
    labels, logits, weights = example
    expected = as_array(masked_lm(labels, logits, weights))
    logits[weights == 0] = 1e4
    value = masked_lm(np.where(weights > 0, labels, -100), logits, weights)
    assert as_array(value) == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_nothing_masked_is_zero(dtype, gradients, as_array):
    labels, weights = np.zeros((2, 3), "int32"), np.zeros((2, 3), "float32")
    logits = np.full((2, 3, 4), 100.0, "float32")
    assert as_array(masked_lm(labels, ops.cast(logits, dtype), weights)) == 0
    (found,) = gradients(lambda z: masked_lm(labels, z, weights), logits, dtype=dtype)
    assert not found.any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_extreme_logits(dtype, gradients, as_array):
    """The wrong word by 200: costs 200, gradient -1 at the right word and 1 at the wrong one."""
    labels, weights = np.array([[0]]), np.ones((1, 1), "float32")
    logits = np.array([[[-100, 100, -100]]], "float32")
    value = as_array(masked_lm(labels, ops.cast(logits, dtype), weights))
    assert value == pytest.approx(200)
    (found,) = gradients(lambda z: masked_lm(labels, z, weights), logits, dtype=dtype)
    np.testing.assert_allclose(found, [[[-1, 1, 0]]], atol=1e-6)
