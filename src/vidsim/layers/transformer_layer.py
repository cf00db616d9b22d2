"""One post-norm transformer layer, as in BERT."""

from typing import Any

import keras

from vidsim.layers.activations import ACTIVATIONS
from vidsim.layers.attention import Attention, Rotary, Rows
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor
from vidsim.layers.packing import Packing


class TransformerLayer(keras.layers.Layer):
    """Self-attention and a feed-forward network, each with dropout, residual and LayerNorm.

    Args:
        heads: attention heads.
        intermediate: width of the feed-forward network's hidden layer.
        activation: its activation, a name of ACTIVATIONS ("gelu" is the exact, erf form).
        dropout: after attention and feed-forward.
        attention_dropout: of the attention weights.
        layer_norm_eps: epsilon of both LayerNorms.
        rotary_value: see Attention.

    Shapes:
        rows (R, D), packing of them, rotary None or (sin, cos) -> (R, D)

    Reference: Devlin et al. 2018, BERT (arXiv:1810.04805), section 3.
    """

    def __init__(
        self,
        heads: int,
        intermediate: int,
        activation: str = "gelu",
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        layer_norm_eps: float = 1e-12,
        rotary_value: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.intermediate = intermediate
        self.attention = Attention(heads, attention_dropout, rotary_value, name="attention")
        self.attention_norm = _layer_norm(layer_norm_eps, "attention_norm")
        self.expand = dense(intermediate, "expand", activation=ACTIVATIONS[activation])
        self.output_norm = _layer_norm(layer_norm_eps, "output_norm")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for rows of shape (R, D)."""
        width = input_shape[-1]
        self.contract = dense(width, "contract")
        self.attention.build(input_shape)
        self.attention_norm.build(input_shape)
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:-1], self.intermediate))
        self.output_norm.build(input_shape)

    def call(
        self,
        rows: Tensor,
        packing: Packing,
        rotary: Rotary = None,
        training: bool | None = None,
    ) -> Tensor:
        """Both halves, one after the other."""
        return self.transform(self.attend(rows, packing, rotary, training), training)

    def attend(
        self, rows: Tensor, packing: Packing, rotary: Rotary, training: bool | None
    ) -> Tensor:
        """The first half: self-attention, residual, LayerNorm."""
        attended = self.attention(rows, packing=packing, rotary=rotary, training=training)
        return self.attention_norm(rows + self.dropout(attended, training=training))

    def transform(self, rows: Tensor, training: bool | None) -> Tensor:
        """The second half: feed-forward network, residual, LayerNorm."""
        transformed = self.contract(self.expand(rows))
        return self.output_norm(rows + self.dropout(transformed, training=training))


class CrossAttentionLayer(TransformerLayer):
    """A transformer layer that attends to another sequence between its two halves.

    Arguments as TransformerLayer's; the cross-attention has the same heads and dropouts, a residual
    and a LayerNorm of its own, and no rotations: positions of two sequences are not compared.

    Shapes:
        rows (R, D), packing of them, rotary as TransformerLayer; memory: Rows of (M, E) of the same
        videos -> (R, D)

    Reference: Vaswani et al. 2017 (arXiv:1706.03762), the decoder's layer; Li et al. 2021, ALBEF
    (arXiv:2107.07651), the layers of its multimodal encoder.
    """

    def __init__(
        self,
        heads: int,
        intermediate: int,
        activation: str = "gelu",
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        layer_norm_eps: float = 1e-12,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            heads, intermediate, activation, dropout, attention_dropout, layer_norm_eps, **kwargs
        )
        self.cross_attention = Attention(heads, attention_dropout, name="cross_attention")
        self.cross_norm = _layer_norm(layer_norm_eps, "cross_norm")

    def build(self, input_shape: tuple, memory_width: int | None = None) -> None:
        """Make the weights for rows (R, D) and memory (M, memory_width), which is D by default."""
        super().build(input_shape)
        self.cross_attention.build(input_shape, memory_width)
        self.cross_norm.build(input_shape)

    def call(
        self,
        rows: Tensor,
        packing: Packing,
        memory: Rows,
        rotary: Rotary = None,
        training: bool | None = None,
    ) -> Tensor:
        """Self-attention, attention to the memory, feed-forward network."""
        rows = self.attend(rows, packing, rotary, training)
        still = Rows(memory.rows, memory.packing)
        found = self.cross_attention(rows, packing=packing, memory=still, training=training)
        rows = self.cross_norm(rows + self.dropout(found, training=training))
        return self.transform(rows, training)


def _layer_norm(epsilon: float, name: str) -> keras.layers.LayerNormalization:
    return keras.layers.LayerNormalization(epsilon=epsilon, name=name)
