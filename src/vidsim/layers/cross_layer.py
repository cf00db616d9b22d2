"""LXMERT's layer: two sequences of one video read each other, then each one itself."""

from typing import Any

import keras

from vidsim.layers.attention import Attention, Rows
from vidsim.layers.numeric import Tensor
from vidsim.layers.packing import Packing
from vidsim.layers.transformer_layer import TransformerLayer


class CrossReading(keras.layers.Layer):
    """Cross-attention, dropout, residual, LayerNorm.

    Args:
        heads: attention heads.
        dropout: after the attention.
        attention_dropout: of the attention weights.
        layer_norm_eps: epsilon of the LayerNorm.

    Shapes:
        rows (R, D), packing of them, read Rows of (M, D) of the same videos -> (R, D)
    """

    def __init__(
        self,
        heads: int,
        dropout: float,
        attention_dropout: float,
        layer_norm_eps: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.attention = Attention(heads, attention_dropout, name="attention")
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_eps, name="norm")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for rows of shape (R, D)."""
        self.attention.build(input_shape)
        self.norm.build(input_shape)

    def call(
        self, rows: Tensor, packing: Packing, read: Rows, training: bool | None = None
    ) -> Tensor:
        """The rows with what they found; positions of two sequences are not compared."""
        still = Rows(read.rows, read.packing)
        found = self.attention(rows, packing=packing, memory=still, training=training)
        return self.norm(rows + self.dropout(found, training=training))


class CrossLayer(keras.layers.Layer):
    """Text and frames attend to each other, then each to itself, then a feed-forward network each.

    Both directions of the first step read the layer's inputs, and have the same weights unless
    `shared` is False. Self-attention and feed-forward have weights of their own for each sequence.

    Args:
        sides: which of "language" and "vision" there are; of one alone the layer is a
            TransformerLayer.
        shared: whether both directions of the cross-attention have the same weights.
        heads, intermediate, activation, dropout, attention_dropout, layer_norm_eps: as
            TransformerLayer's.

    Shapes:
        sides by name: Rows of (R, D), and of (M, D), of the same videos -> the same, by name

    Reference: Tan and Bansal 2019, LXMERT (arXiv:1908.07490), section 2.2. Its formulas have
    weights for each direction; its published code and weights share them.
    """

    def __init__(
        self,
        sides: tuple[str, ...],
        shared: bool,
        heads: int,
        intermediate: int,
        activation: str,
        dropout: float,
        attention_dropout: float,
        layer_norm_eps: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        rates = (dropout, attention_dropout, layer_norm_eps)
        self.readings: dict[str, CrossReading] = {}
        if len(sides) == 2:
            first = CrossReading(heads, *rates, name="cross")
            second = first if shared else CrossReading(heads, *rates, name="cross_back")
            self.readings = dict(zip(sides, (first, second), strict=True))
        self.own = {
            side: TransformerLayer(heads, intermediate, activation, *rates, name=side)
            for side in sides
        }

    def build(self, input_shape: tuple) -> None:
        """Make the weights for rows of shape (R, D), as wide on both sides."""
        for layer in (*self.readings.values(), *self.own.values()):
            if not layer.built:
                layer.build(input_shape)

    def call(self, sides: dict[str, Rows], training: bool | None = None) -> dict[str, Rows]:
        """Both sides after the layer."""
        crossed = {name: side.rows for name, side in sides.items()}
        for name, reading in self.readings.items():
            (other,) = (side for key, side in sides.items() if key != name)
            packing = sides[name].packing
            crossed[name] = reading(crossed[name], packing=packing, read=other, training=training)
        return {
            name: Rows(
                self.own[name](
                    crossed[name], packing=side.packing, rotary=side.rotary, training=training
                ),
                side.packing,
                side.rotary,
            )
            for name, side in sides.items()
        }
