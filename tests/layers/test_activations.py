"""Activations by their published names, against their formulas in float64."""

import math

import numpy as np
import pytest
from keras import ops

from vidsim.layers.activations import ACTIVATIONS

X = np.linspace(-6, 6, 49)
ERF = X * (1 + np.vectorize(math.erf)(X / math.sqrt(2))) / 2
TANH = X * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))) / 2
EXPECTED = {
    "gelu": ERF,
    "gelu_python": ERF,
    "gelu_new": TANH,
    "gelu_fast": TANH,
    "gelu_pytorch_tanh": TANH,
    "quick_gelu": X / (1 + np.exp(-1.702 * X)),
    "relu": np.maximum(X, 0),
    "silu": X / (1 + np.exp(-X)),
    "swish": X / (1 + np.exp(-X)),
    "tanh": np.tanh(X),
}


def test_all_are_here():
    assert set(EXPECTED) == set(ACTIVATIONS)
    assert np.abs(ERF - TANH).max() > 1e-4  # the two forms can be told apart


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value(name):
    found = ACTIVATIONS[name](ops.convert_to_tensor(X.astype("float32")))
    np.testing.assert_allclose(ops.convert_to_numpy(found), EXPECTED[name], atol=2e-6)
