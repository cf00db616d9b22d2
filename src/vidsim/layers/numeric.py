"""Two numeric habits that layers and losses share.

Half precision is for the large matrix products; what is summed, exponentiated or divided is kept in
float32. And a vector of length zero (a video without frames, a layer whose ReLU is silent) must not
spoil a gradient: there, Keras' own `ops.normalize` gives NaN on JAX and a factor of ten million on
TensorFlow.
"""

from typing import Any, TypeAlias

import keras
from keras import ops

Tensor: TypeAlias = Any  # whatever the Keras backend at hand calls a tensor

_SHORTEST = 1e-6  # length below which a vector counts as having no direction


def at_least_float32(x: Tensor) -> Tensor:
    """Turn half precision, booleans and integers into float32; float64 stays float64.

    Args:
        x: Tensor or array of any shape.

    Returns:
        The same values, float32 or float64.
    """
    x = ops.convert_to_tensor(x)
    return x if keras.backend.standardize_dtype(x.dtype) == "float64" else ops.cast(x, "float32")


def float32_range(x: Tensor) -> Tensor:
    """Turn float16 into float32; other formats, bfloat16 among them, reach as far and stay.

    For a product whose gradient is divided by a length that may be small: in float16 whatever is
    beyond 65,504 is infinite, and infinity times an attention of zero is NaN.

    Args:
        x: Floating-point tensor of any shape.

    Returns:
        The same values.
    """
    return ops.cast(x, "float32") if keras.backend.standardize_dtype(x.dtype) == "float16" else x


def l2_normalize(x: Tensor, axis: int = -1) -> Tensor:
    """Scale vectors to length 1; a vector shorter than 1e-6 is left as it is.

    Leaving it makes the gradient at zero that of the identity, finite and small, where a division
    by a tiny constant would multiply it by the inverse of that constant.

    Args:
        x: Floating-point tensor of any shape.
        axis: The axis along which the vectors lie.

    Returns:
        A tensor of the shape of `x`, float32 or wider.
    """
    x = at_least_float32(x)
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.where(square > _SHORTEST**2, square, 1.0))


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Softmax over an axis that may be of length 1, of which Keras' own gives a warning.

    Args:
        x: Floating-point tensor of any shape.
        axis: The axis whose numbers add up to 1.

    Returns:
        A tensor of the shape and dtype of `x`.
    """
    return ops.ones_like(x) if x.shape[axis] == 1 else ops.softmax(x, axis=axis)
