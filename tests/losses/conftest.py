"""Gradients two ways: by the backend, and by central differences of a plain numpy reference."""

import keras
import numpy as np
import pytest
from keras import ops


@pytest.fixture
def gradients():
    """`gradients(loss, *inputs)`: the backend's gradients of sum(loss), as float64 arrays."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow's tape")
    import tensorflow as tf

    def compute(loss, *inputs, dtype="float64"):
        tensors = [tf.cast(tf.constant(x), dtype) for x in inputs]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = tf.reduce_sum(loss(*tensors))
        found = tape.gradient(value, tensors)
        return [np.asarray(tf.cast(gradient, "float64")) for gradient in found]

    return compute


@pytest.fixture
def central_differences():
    """`central_differences(reference, x)`: gradient of sum(reference(x)), one number at a time."""

    def compute(reference, x, step=1e-5):
        x = np.array(x, "float64")
        gradient = np.zeros_like(x)
        for index in np.ndindex(x.shape):
            ends = []
            for sign in (1, -1):
                moved = x.copy()
                moved[index] += sign * step
                ends.append(np.sum(reference(moved)))
            gradient[index] = (ends[0] - ends[1]) / (2 * step)
        return gradient

    return compute


@pytest.fixture
def as_array():
    """`as_array(tensor)`: a float32 or float64 tensor as numpy; anything narrower is an error."""

    def convert(tensor):
        assert keras.backend.standardize_dtype(tensor.dtype) in ("float32", "float64")
        return ops.convert_to_numpy(tensor)

    return convert
