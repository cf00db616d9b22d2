"""Pooling over time that never sees padding.

A mean over all slots shrinks with the amount of padding, a maximum over them can be the padding
itself; both make the embedding of a video depend on the batch it happens to be in.
"""

import numpy as np
from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32

_LOWEST = float(np.finfo(np.float32).min)  # finite, so that its gradient is too


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the steps that are real.

    Args:
        x: (B, T, D) floating-point features.
        mask: (B, T), True where a step is real.

    Returns:
        (B, D) in the dtype of `x`, zeros where no step is real. The sum is made in float32.
    """
    x = ops.convert_to_tensor(x)
    mask = ops.cast(mask, "bool")[:, :, None]  # (B, T) -> (B, T, 1)
    wide = at_least_float32(x)
    total = ops.sum(ops.where(mask, wide, 0.0), axis=1)  # (B, T, D) -> (B, D)
    count = ops.sum(ops.cast(mask, wide.dtype), axis=1)  # (B, T, 1) -> (B, 1)
    return ops.cast(total / ops.maximum(count, 1.0), x.dtype)


def masked_first(x: Tensor, mask: Tensor) -> Tensor:
    """The first step, where it is real.

    Args:
        x: (B, T, D) features.
        mask: (B, T), True where a step is real.

    Returns:
        (B, D), zeros where the first step is not real or there is none.
    """
    return masked_mean(x[:, :1], mask[:, :1])


def masked_max(x: Tensor, mask: Tensor) -> Tensor:
    """Elementwise maximum over the steps that are real.

    Args:
        x: (B, T, D) floating-point features.
        mask: (B, T), True where a step is real.

    Returns:
        (B, D) in the dtype of `x`, zeros (with a zero gradient) where no step is real.
    """
    x = ops.convert_to_tensor(x)
    mask = ops.cast(mask, "bool")[:, :, None]  # (B, T) -> (B, T, 1)
    highest = ops.max(ops.where(mask, at_least_float32(x), _LOWEST), axis=1, initial=_LOWEST)
    return ops.cast(ops.where(ops.any(mask, axis=1), highest, 0.0), x.dtype)
