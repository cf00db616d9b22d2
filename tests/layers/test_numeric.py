"""Widening and normalising: dtypes, values by hand, and the gradient at zero."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.layers.numeric import at_least_float32, l2_normalize


@pytest.mark.parametrize("narrow", ["bool", "uint8", "int32", "float16", "bfloat16", "float32"])
def test_everything_narrow_becomes_float32(narrow):
    wide = at_least_float32(ops.cast([0, 1], narrow))
    assert keras.backend.standardize_dtype(wide.dtype) == "float32"
    np.testing.assert_array_equal(ops.convert_to_numpy(wide), [0, 1])


def test_l2_normalize_by_hand():
    """(3, 4) has length 5; a vector shorter than 1e-6 stays as it is."""
    x = np.array([[3, 4], [0, 0], [3e-7, 4e-7]], "float32")
    expected = [[0.6, 0.8], [0, 0], [3e-7, 4e-7]]
    np.testing.assert_allclose(ops.convert_to_numpy(l2_normalize(x)), expected, rtol=1e-6)
    np.testing.assert_allclose(
        ops.convert_to_numpy(l2_normalize(x.T, axis=0)), np.transpose(expected), rtol=1e-6
    )


def test_l2_normalize_gradient():
    """Of the first component: (1 - 0.36, -0.48) / 5 at (3, 4), that of the identity at zero."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow's tape")
    import tensorflow as tf

    x = tf.constant([[3.0, 4.0], [0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = tf.reduce_sum(l2_normalize(x)[:, 0])
    np.testing.assert_allclose(tape.gradient(first, x), [[0.128, -0.096], [1, 0]], rtol=1e-5)
