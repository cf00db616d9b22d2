"""Activation functions by the names that published configurations give them."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def _gelu(x):
    """Exact, by erf.

    In this order of factors TensorFlow makes one kernel of it and the matrix product before it.
    Keras' own has an erfc, a slow kernel on CPUs.
    """
    return (ops.erf(x * 0.5**0.5) + 1.0) * 0.5 * x


def _quick_gelu(x):
    return x * ops.sigmoid(1.702 * x)


def _tanh_gelu(x):
    return keras.activations.gelu(x, approximate=True)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "gelu": _gelu,
    "gelu_python": _gelu,
    "gelu_new": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "quick_gelu": _quick_gelu,
    "relu": keras.activations.relu,
    "silu": keras.activations.silu,
    "swish": keras.activations.silu,
    "tanh": keras.activations.tanh,
}
"""Hugging Face's ``hidden_act`` -> function of one tensor."""
