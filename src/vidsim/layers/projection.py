"""A vector to the embedding that is compared: one layer, or two."""

from typing import Any

import keras

from vidsim.layers.numeric import Tensor, at_least_float32


class Projection(keras.layers.Layer):
    """A Dense layer; or LayerNorm, dropout, Dense with GELU, dropout, Dense. Always in float32.

    Args:
        size: numbers of the embedding, D.
        hidden: numbers between the two layers; 0: there is one layer.
        dropout: between the two layers.
        input_dropout: before them; None: half as much as between them.

    Shapes: x (B, W) -> (B, D) float32
    """

    def __init__(
        self,
        size: int,
        hidden: int = 0,
        dropout: float = 0.0,
        input_dropout: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.hidden = None
        if hidden:
            self.norm = keras.layers.LayerNormalization(name="norm")
            first = dropout / 2 if input_dropout is None else input_dropout
            self.first_dropout = keras.layers.Dropout(first, name="first_dropout")
            self.hidden = keras.layers.Dense(hidden, activation="gelu", name="hidden")
            self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.project = keras.layers.Dense(size, name="project")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for vectors of W numbers."""
        if self.hidden is not None:
            self.norm.build(input_shape)
            self.hidden.build(input_shape)
            input_shape = (*input_shape[:-1], self.hidden.units)
        self.project.build(input_shape)

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Project vectors (B, W)."""
        x = at_least_float32(x)
        if self.hidden is not None:
            x = self.first_dropout(self.norm(x), training=training)
            x = self.dropout(self.hidden(x), training=training)
        return self.project(x)
