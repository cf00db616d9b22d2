"""Batch normalisation over the whole batch, however many replicas share it.

Keras' own `synchronized` does that without a mask only, and on TensorFlow only.
"""

from typing import Any

import keras
from keras import ops

from vidsim.layers.numeric import Tensor
from vidsim.layers.replicas import replicas


@keras.saving.register_keras_serializable("vidsim")
class BatchNorm(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` whose mean and variance are those of all replicas' rows.

    With one replica it is Keras' layer, to the last bit.

    Shapes: (B, ..., D), mask (B, ...) -> (B, ..., D)

    Reference: Ioffe and Szegedy 2015 (arXiv:1502.03167).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.replicas = replicas()

    def _moments(self, inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean (D,) and variance (D,) over the rows that the mask shows."""
        if self.replicas.count == 1:
            return super()._moments(inputs, mask)
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))  # (B, ..., D) -> (N, D)
        weights = ops.ones_like(rows[:, :1])
        if mask is not None:
            weights = ops.reshape(ops.cast(mask, rows.dtype), (-1, 1))  # (B, ...) -> (N, 1)
        total, count = self.replicas.sum(
            [ops.sum(ops.where(weights > 0, rows, 0.0), axis=0), ops.sum(weights)]
        )
        mean = ops.divide_no_nan(total, count)
        squares = ops.where(weights > 0, ops.square(rows - mean), 0.0)
        (distance,) = self.replicas.sum([ops.sum(squares, axis=0)])
        return mean, ops.divide_no_nan(distance, count)
