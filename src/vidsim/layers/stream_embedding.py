"""Regions or actions as ActBERT's tokens: a projection, perhaps with that of a box, normalised."""

from typing import Any

import keras
from keras import ops

from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor, at_least_float32

WHOLE_PICTURE = (0.0, 0.0, 1.0, 1.0, 1.0)
"""x1 y1 x2 y2 and area of a box that is all of a picture, as shares of it."""


class StreamEmbedding(keras.layers.Layer):
    """LayerNorm of a projected vector, to which that of its box is added where there are boxes.

    Projected in float32: features may be of any size.

    Args:
        width: of the stream's tokens.
        dropout: at the end.
        layer_norm_eps: epsilon of the LayerNorm.
        feature_dropout: of the features' numbers, the same ones in all vectors of a video.
        boxes: whether there are boxes.

    Shapes:
        features (B, S, F) of any float type, boxes None or (B, S, 5), as WHOLE_PICTURE
        -> (B, S, width)

    Reference: Zhu and Yang 2020, ActBERT (CVPR 2020), section 3.1.
    """

    def __init__(
        self,
        width: int,
        dropout: float,
        layer_norm_eps: float,
        feature_dropout: float = 0.0,
        boxes: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.feature_dropout = keras.layers.SpatialDropout1D(
            feature_dropout, dtype="float32", name="feature_dropout"
        )
        self.project = dense(width, "project", dtype="float32")
        self.box = dense(width, "box", dtype="float32") if boxes else None
        self.norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, dtype="float32", name="norm"
        )
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for features of shape (B, S, F)."""
        self.project.build(input_shape)
        if self.box is not None:
            self.box.build((*input_shape[:-1], len(WHOLE_PICTURE)))
        self.norm.build((*input_shape[:-1], self.width))

    def call(
        self, features: Tensor, boxes: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """Embed features; a box that is not given is the whole picture."""
        x = at_least_float32(features)
        x = self.project(self.feature_dropout(x, training=training))
        if self.box is not None:
            if boxes is None:
                boxes = ops.reshape(ops.convert_to_tensor(WHOLE_PICTURE), (1, 1, -1))
            x = x + self.box(at_least_float32(boxes))
        return self.dropout(ops.cast(self.norm(x), self.compute_dtype), training=training)
