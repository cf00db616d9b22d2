"""Multi-head attention of packed rows, with padding masks and optional rotary positions.

Keras' own MultiHeadAttention has no place to rotate queries and keys, and its fused kernels do not
match the weight layout of published BERT checkpoints; hence this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor, softmax
from vidsim.layers.packing import Packing
from vidsim.layers.rotary import rotate

Rotary = Sequence[Tensor] | None  # sin and cos of every row's angles, each (R, D / heads / 2)


@dataclass(frozen=True)
class Rows:
    """The rows of one packed sequence: what is attended to.

    Shapes: rows (R, D); rotary None or (sin, cos), each (R, D / heads / 2)
    """

    rows: Tensor
    packing: Packing
    rotary: Rotary = None


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    packing: Packing,
    of_keys: Packing,
    others: bool,
    head_size: int,
    dropout: keras.layers.Dropout,
    training: bool | None,
) -> Tensor:
    """Scaled dot-product attention of projected rows.

    Args:
        query: (R, N H).
        key: (M, N H).
        value: (M, N H).
        packing: of the queries' rows, with N heads.
        of_keys: of the keys' rows; its mask says which of them are real.
        others: whether the keys are another sequence, of which a video may have nothing real: it
            gets zeros. A row of self-attention has itself at least.
        head_size: H.
        dropout: of the attention weights.
        training: whether to drop.

    Returns:
        (R, N H)
    """
    query = packing.split_heads(query * head_size**-0.5)  # (R, D) -> (B, N, S, H)
    key, value = of_keys.split_heads(key), of_keys.split_heads(value)
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))  # (B, N, S, S of the keys)
    # -1e9 in float32: an exact zero after softmax, so padding changes no output
    scores = ops.cast(scores, "float32")
    real = of_keys.mask[:, None, None, :]
    scores = ops.where(real, scores, -1e9)
    weights = dropout(ops.cast(softmax(scores), value.dtype), training=training)
    context = ops.matmul(weights, value)  # (B, N, S, H)
    if others:
        context = ops.where(ops.any(real, axis=-1, keepdims=True), context, 0.0)
    return packing.merge_heads(context)


class Attention(keras.layers.Layer):
    """Scaled dot-product attention, every row attending to the real positions of its own video.

    Self-attention by default: queries, keys and values are of the same rows. With ``memory``, keys
    and values are of that other sequence, of the same videos (cross-attention). A video whose
    memory has nothing real gets a context of zeros.

    Args:
        heads: number of heads; divides the width.
        dropout: share of attention weights dropped in training.
        rotary_value: rotate the values too (RoFormer's ``rotary_value``).

    Shapes:
        rows (R, D), packing of them, rotary None or (sin, cos) of (R, D / heads / 2);
        memory None or Rows of (M, E) -> (R, D)

    Reference: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
    """

    def __init__(
        self, heads: int, dropout: float = 0.1, rotary_value: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.rotary_value = rotary_value
        self.dropout_rate = dropout
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape: tuple, memory_width: int | None = None) -> None:
        """Make the weights for rows of shape (R, D), and memory (M, memory_width) if not D too."""
        width = input_shape[-1]
        if width % self.heads:
            raise ValueError(f"heads must divide the width; got {self.heads} heads, width {width}")
        self.head_size = width // self.heads
        attended = (None, memory_width or width)
        for name in ("query", "key", "value", "output"):
            layer = dense(width, name)
            layer.build(attended if name in ("key", "value") else input_shape)
            setattr(self, f"{name}_dense", layer)

    def call(
        self,
        rows: Tensor,
        packing: Packing,
        rotary: Rotary = None,
        memory: Rows | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """What each row finds among the keys."""
        keys = Rows(rows, packing, rotary) if memory is None else memory
        query = self.query_dense(rows)
        key, value = self.key_dense(keys.rows), self.value_dense(keys.rows)
        if rotary is not None:
            query = self._rotate(query, rotary)
        if keys.rotary is not None:
            key = self._rotate(key, keys.rotary)
            value = self._rotate(value, keys.rotary) if self.rotary_value else value
        places = packing, keys.packing, memory is not None
        context = attend(query, key, value, *places, self.head_size, self.dropout, training)
        return self.output_dense(context)

    def _rotate(self, rows: Tensor, rotary: Sequence[Tensor]) -> Tensor:
        heads = ops.reshape(rows, (-1, self.heads, self.head_size))
        return ops.reshape(rotate(heads, *rotary), ops.shape(rows))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again."""
        return super().get_config() | {
            "heads": self.heads,
            "dropout": self.dropout_rate,
            "rotary_value": self.rotary_value,
        }
