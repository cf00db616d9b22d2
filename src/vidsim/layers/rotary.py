"""Rotary position embedding: positions enter attention as rotations, not as additions."""

import numpy as np
from keras import ops

from vidsim.layers.numeric import Tensor


def rotary_angles(positions: Tensor, head_size: int) -> tuple[Tensor, Tensor]:
    """Sine and cosine of every position's angles.

    The table is a constant, never a weight (the published system trained it by accident).

    Args:
        positions: (S,) or (B, S) int positions.
        head_size: size of one attention head, even.

    Returns:
        sin, cos: two float32 tensors, (S, head_size / 2) or (B, S, head_size / 2).

    Reference: Su et al. 2021, RoFormer (arXiv:2104.09864), section 3.2.
    """
    frequencies = 10000.0 ** (-np.arange(0, head_size, 2, dtype="float32") / head_size)
    angles = ops.cast(positions, "float32")[..., None] * ops.convert_to_tensor(frequencies)
    return ops.sin(angles), ops.cos(angles)


def rotate(x: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """Rotates neighbouring features (2i, 2i+1) of x by their position's angle i.

    Shapes: x (S, N, H) with heads N of size H; sin, cos (S, H / 2); returns x's shape and dtype.
    """
    dtype = x.dtype
    sin = ops.cast(sin, dtype)[:, None, :]
    cos = ops.cast(cos, dtype)[:, None, :]
    shape = ops.shape(x)
    pairs = ops.reshape(x, (*shape[:-1], shape[-1] // 2, 2))
    even, odd = pairs[..., 0], pairs[..., 1]
    rotated = ops.stack([even * cos - odd * sin, odd * cos + even * sin], axis=-1)
    return ops.reshape(rotated, shape)
