"""Multi-head self-attention with a padding mask and optional rotary positions.

Keras' own MultiHeadAttention has no place to rotate queries and keys, and its fused kernels do not
match the weight layout of published BERT checkpoints; hence this one.
"""

import keras
from keras import ops

from vidsim.layers.dense import dense
from vidsim.layers.rotary import rotate


class SelfAttention(keras.layers.Layer):
    """Scaled dot-product self-attention, every position attending to the real ones.

    Args:
        heads: number of heads; divides the width.
        dropout: share of attention weights dropped in training.
        rotary_value: rotate the values too (RoFormer's ``rotary_value``).

    Shapes:
        x (B, S, D), mask (B, S) bool, rotary None or (sin, cos) of (S, D / heads / 2) -> (B, S, D)

    Reference: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
    """

    def __init__(self, heads: int, dropout: float = 0.1, rotary_value: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.rotary_value = rotary_value
        self.dropout_rate = dropout
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape):
        width = input_shape[-1]
        if width % self.heads:
            raise ValueError(f"heads must divide the width; got {self.heads} heads, width {width}")
        self.head_size = width // self.heads
        for name in ("query", "key", "value", "output"):
            layer = dense(width, name)
            layer.build(input_shape)
            setattr(self, f"{name}_dense", layer)

    def call(self, x, mask, rotary=None, training=None):
        query = self._split(self.query_dense(x))  # (B, S, D) -> (B, S, N, H)
        key = self._split(self.key_dense(x))
        value = self._split(self.value_dense(x))
        if rotary is not None:
            query, key = rotate(query, *rotary), rotate(key, *rotary)
            value = rotate(value, *rotary) if self.rotary_value else value
        query = ops.transpose(query, (0, 2, 1, 3))  # (B, N, S, H)
        key = ops.transpose(key, (0, 2, 3, 1))  # (B, N, H, S)
        scores = ops.matmul(query * self.head_size**-0.5, key)  # (B, N, S, S)
        # -1e9 in float32: an exact zero after softmax, so padding changes no output
        scores = ops.cast(scores, "float32")
        scores = ops.where(mask[:, None, None, :], scores, -1e9)
        weights = ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)
        weights = self.dropout(weights, training=training)
        context = ops.matmul(weights, ops.transpose(value, (0, 2, 1, 3)))  # (B, N, S, H)
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), ops.shape(x))  # (B, S, D)
        return self.output_dense(context)

    def _split(self, x):
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        return ops.reshape(x, (batch, length, self.heads, self.head_size))

    def get_config(self):
        return super().get_config() | {
            "heads": self.heads,
            "dropout": self.dropout_rate,
            "rotary_value": self.rotary_value,
        }
