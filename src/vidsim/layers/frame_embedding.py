"""Frames as tokens of a text encoder: projected, marked as frames, normalised."""

import keras
from keras import ops

from vidsim.layers.dense import dense


class FrameEmbedding(keras.layers.Layer):
    """Dropout of features, Dense with ReLU, a learned type vector, LayerNorm, dropout.

    The published model put the bare projection beside normalised word embeddings, so that the two
    kinds of token came in at different scales.

    Args:
        width: the encoder's hidden size.
        dropout: after the LayerNorm, as for words.
        layer_norm_eps: the encoder's own epsilon.
        feature_dropout: of the frames' numbers before the projection, the same ones in all frames
            of a video (Tompson et al. 2015, arXiv:1411.4280).

    Shapes: frames (B, T, F) of any float type -> (B, T, width)
    """

    def __init__(
        self,
        width: int,
        dropout: float,
        layer_norm_eps: float,
        feature_dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width = width
        self.feature_dropout = keras.layers.SpatialDropout1D(
            feature_dropout, name="feature_dropout"
        )
        self.project = dense(width, "project", activation="relu")
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_eps, name="norm")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape):
        self.project.build(input_shape)
        self.norm.build((*input_shape[:-1], self.width))
        self.type = self.add_weight(shape=(self.width,), initializer="zeros", name="type")

    def call(self, frames, training=None):
        frames = ops.cast(frames, self.compute_dtype)
        x = self.project(self.feature_dropout(frames, training=training)) + self.type
        return self.dropout(self.norm(x), training=training)
