"""Frames as tokens of a text encoder: projected, marked as frames, normalised."""

from typing import Any

import keras
from keras import ops

from vidsim.layers.dense import INITIALIZER_STDDEV, dense
from vidsim.layers.numeric import Tensor


class FrameEmbedding(keras.layers.Layer):
    """Dropout of features, Dense, a learned type vector, positions, LayerNorm, dropout.

    The published model put the bare projection beside normalised word embeddings, so that the two
    kinds of token came in at different scales.

    Args:
        width: the encoder's hidden size.
        dropout: after the LayerNorm, as for words.
        layer_norm_eps: the encoder's own epsilon.
        feature_dropout: of the frames' numbers before the projection, the same ones in all frames
            of a video (Tompson et al. 2015, arXiv:1411.4280).
        activation: of the projection.
        typed: whether there is a type vector.
        positions: most frames of a video, of which each has a position vector of its own; 0: none.

    Shapes: frames (B, T, F) of any float type -> (B, T, width)
    """

    def __init__(
        self,
        width: int,
        dropout: float,
        layer_norm_eps: float,
        feature_dropout: float = 0.0,
        activation: str = "relu",
        typed: bool = True,
        positions: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.typed = width, typed
        self.feature_dropout = keras.layers.SpatialDropout1D(
            feature_dropout, name="feature_dropout"
        )
        self.project = dense(width, "project", activation=activation)
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_eps, name="norm")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.positions = None
        if positions:
            initializer = keras.initializers.TruncatedNormal(stddev=INITIALIZER_STDDEV)
            self.positions = keras.layers.Embedding(
                positions, width, embeddings_initializer=initializer, name="positions"
            )

    def build(self, input_shape: tuple) -> None:
        """Make the weights for frames of shape (B, T, F)."""
        self.project.build(input_shape)
        self.norm.build((*input_shape[:-1], self.width))
        if self.typed:
            self.type = self.add_weight(shape=(self.width,), initializer="zeros", name="type")
        if self.positions is not None:
            self.positions.build(())

    def call(self, frames: Tensor, training: bool | None = None) -> Tensor:
        """Embed frames (B, T, F)."""
        frames = ops.cast(frames, self.compute_dtype)
        x = self.project(self.feature_dropout(frames, training=training))
        if self.typed:
            x = x + self.type
        if self.positions is not None:
            x = x + self.positions(ops.arange(ops.shape(frames)[1]))[None]
        return self.dropout(self.norm(x), training=training)
