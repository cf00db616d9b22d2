"""A sequence to one vector, by weights that the model learns."""

from typing import Any

import keras
from keras import ops

from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor, at_least_float32, softmax


class AttentionPooling(keras.layers.Layer):
    """The mean of the real positions, weighted by softmax(v . tanh(W x + b)).

    A video with nothing real gives zeros.

    Shapes: x (B, S, D), mask (B, S) bool -> (B, D)

    Reference: Yang et al. 2016, Hierarchical Attention Networks for Document Classification; the
    pooling of the winner of the CIKM 2021 challenge (arXiv:2111.01677).
    """

    def build(self, x_shape: tuple) -> None:
        """Make the weights for positions of width D."""
        width = x_shape[-1]
        self.hidden = dense(width, "hidden", activation="tanh")
        self.hidden.build((None, None, width))
        self.score = dense(1, "score", use_bias=False)
        self.score.build((None, None, width))

    def call(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool x (B, S, D) where mask (B, S) is True."""
        mask = ops.cast(mask, "bool")[:, :, None]  # (B, S, 1)
        scores = at_least_float32(self.score(self.hidden(x)))
        shares = softmax(ops.where(mask, scores, -1e9), axis=1)
        shares = ops.where(mask, shares, 0.0)  # all are -1e9 where nothing is real
        return ops.cast(ops.sum(shares * at_least_float32(x), axis=1), x.dtype)

    def compute_output_shape(self, x_shape: tuple, *_: Any) -> tuple:
        """(B, S, D) -> (B, D)."""
        return x_shape[0], x_shape[-1]
