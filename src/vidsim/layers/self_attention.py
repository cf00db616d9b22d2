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
        rows (R, D), packing of them, rotary None or (sin, cos) of (R, D / heads / 2) -> (R, D)

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

    def call(self, rows, packing, rotary=None, training=None):
        query, key, value = self.query_dense(rows), self.key_dense(rows), self.value_dense(rows)
        if rotary is not None:
            query, key = self._rotate(query, rotary), self._rotate(key, rotary)
            value = self._rotate(value, rotary) if self.rotary_value else value
        query = packing.split_heads(query * self.head_size**-0.5)  # (R, D) -> (B, N, S, H)
        key, value = packing.split_heads(key), packing.split_heads(value)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # (B, N, S, S)
        # -1e9 in float32: an exact zero after softmax, so padding changes no output
        scores = ops.cast(scores, "float32")
        scores = ops.where(packing.mask[:, None, None, :], scores, -1e9)
        weights = ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)
        weights = self.dropout(weights, training=training)
        context = ops.matmul(weights, value)  # (B, N, S, H)
        return self.output_dense(packing.merge_heads(context))

    def _rotate(self, rows, rotary):
        heads = ops.reshape(rows, (-1, self.heads, self.head_size))
        return ops.reshape(rotate(heads, *rotary), ops.shape(rows))

    def get_config(self):
        return super().get_config() | {
            "heads": self.heads,
            "dropout": self.dropout_rate,
            "rotary_value": self.rotary_value,
        }
