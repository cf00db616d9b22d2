"""Masked mean and maximum: by hand, with padding of any kind, in half precision."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.layers.pooling import masked_max, masked_mean

MASK = np.array([[True, False, True], [False, True, False], [False, False, False]])


@pytest.fixture
def x():
    """Three videos of three steps, the third one empty. Padding is NaN: it must not be read."""
    x = np.full((3, 3, 2), np.nan, "float32")
    x[0, 0], x[0, 2], x[1, 1] = (1, -8), (3, -4), (-5, 6)
    return x


def test_mean_by_hand(x):
    expected = [[2, -6], [-5, 6], [0, 0]]
    np.testing.assert_array_equal(ops.convert_to_numpy(masked_mean(x, MASK)), expected)


def test_max_by_hand(x):
    """Negative maxima stay: neither padding nor a zero stands in for them."""
    expected = [[3, -4], [-5, 6], [0, 0]]
    np.testing.assert_array_equal(ops.convert_to_numpy(masked_max(x, MASK)), expected)


@pytest.mark.parametrize("pool", [masked_mean, masked_max])
def test_padding_changes_nothing(pool):
    rng = np.random.default_rng(8)
    x, mask = rng.normal(size=(4, 5, 3)).astype("float32"), rng.random((4, 5)) < 0.6
    padded = np.concatenate([x, np.full((4, 7, 3), 1e9, "float32")], axis=1)
    longer = np.concatenate([mask, np.zeros((4, 7), bool)], axis=1)
    found, expected = pool(padded, longer), pool(x, mask)
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype):
    """512 steps of 300 sum to 153,600, more than float16 holds and finer than bfloat16 counts."""
    x, mask = ops.full((1, 600, 1), 300, dtype), np.arange(600)[None] < 512
    for pool in (masked_mean, masked_max):
        pooled = pool(x, mask)
        assert keras.backend.standardize_dtype(pooled.dtype) == dtype
        assert float(pooled[0, 0]) == 300


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (masked_mean, [[[0.5, 0.5], [0, 0], [0.5, 0.5]], [[0, 0], [1, 1], [0, 0]]]),
        (masked_max, [[[0, 0], [0, 0], [1, 1]], [[0, 0], [1, 1], [0, 0]]]),
    ],
)
def test_gradient_by_hand(pool, expected, x):
    """The empty video gets zeros, not NaN."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow's tape")
    import tensorflow as tf

    frames = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(frames)
        total = tf.reduce_sum(pool(frames, MASK))
    np.testing.assert_array_equal(
        tape.gradient(total, frames), [*expected, np.zeros((3, 2)).tolist()]
    )
