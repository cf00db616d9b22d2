"""One post-norm transformer layer, as in BERT."""

import keras

from vidsim.layers.activations import ACTIVATIONS
from vidsim.layers.dense import dense
from vidsim.layers.self_attention import SelfAttention


class TransformerLayer(keras.layers.Layer):
    """Self-attention and a feed-forward network, each with dropout, residual and LayerNorm.

    Args:
        heads: attention heads.
        intermediate: width of the feed-forward network's hidden layer.
        activation: its activation, a name of ACTIVATIONS ("gelu" is the exact, erf form).
        dropout: after attention and feed-forward.
        attention_dropout: of the attention weights.
        layer_norm_eps: epsilon of both LayerNorms.
        rotary_value: see SelfAttention.

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
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.intermediate = intermediate
        self.attention = SelfAttention(heads, attention_dropout, rotary_value, name="attention")
        self.attention_norm = _layer_norm(layer_norm_eps, "attention_norm")
        self.expand = dense(intermediate, "expand", activation=ACTIVATIONS[activation])
        self.output_norm = _layer_norm(layer_norm_eps, "output_norm")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape):
        width = input_shape[-1]
        self.contract = dense(width, "contract")
        self.attention.build(input_shape)
        self.attention_norm.build(input_shape)
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:-1], self.intermediate))
        self.output_norm.build(input_shape)

    def call(self, rows, packing, rotary=None, training=None):
        attended = self.attention(rows, packing=packing, rotary=rotary, training=training)
        rows = self.attention_norm(rows + self.dropout(attended, training=training))
        transformed = self.contract(self.expand(rows))
        return self.output_norm(rows + self.dropout(transformed, training=training))


def _layer_norm(epsilon: float, name: str) -> keras.layers.LayerNormalization:
    return keras.layers.LayerNormalization(epsilon=epsilon, name=name)
