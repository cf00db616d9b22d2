"""Frames or regions as LXMERT's tokens: projected, perhaps normalised, perhaps with their boxes."""

from typing import Any

import keras
from keras import ops

from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor, at_least_float32

WHOLE_PICTURE = (0.0, 0.0, 1.0, 1.0)
_LONGEST = 100.0  # root mean square of a token's numbers


class VisualEmbedding(keras.layers.Layer):
    """Dropout of features, Dense; with `norm` LayerNorm; with `boxes` the mean with those of a box.

    Computed in float32, and what comes out is no longer than 100 times the square root of its
    width, so that features of any size stay finite in half precision; trained models come nowhere
    near.

    Args:
        width: the encoder's hidden size.
        dropout: at the end; 0 for a bare projection, as the WBDC 2022 system has it.
        layer_norm_eps: the encoder's own epsilon.
        feature_dropout: of the features' numbers, the same ones in all frames of a video.
        norm: whether there is a LayerNorm.
        boxes: whether there are boxes, which needs `norm`.

    Shapes:
        features (B, T, F) of any float type, boxes None or (B, T, 4), x1 y1 x2 y2 as shares of the
        picture -> (B, T, width)

    Reference: Tan and Bansal 2019, LXMERT (arXiv:1908.07490), section 2.1.
    """

    def __init__(
        self,
        width: int,
        dropout: float,
        layer_norm_eps: float,
        feature_dropout: float = 0.0,
        norm: bool = False,
        boxes: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.feature_dropout = keras.layers.SpatialDropout1D(
            feature_dropout, dtype="float32", name="feature_dropout"
        )
        self.project = dense(width, "project", dtype="float32")
        self.norm = self.box = self.box_norm = None
        if norm:
            self.norm = keras.layers.LayerNormalization(
                epsilon=layer_norm_eps, dtype="float32", name="norm"
            )
        if norm and boxes:
            self.box = dense(width, "box", dtype="float32")
            self.box_norm = keras.layers.LayerNormalization(
                epsilon=layer_norm_eps, dtype="float32", name="box_norm"
            )
        self.dropout = keras.layers.Dropout(dropout if norm else 0.0, name="dropout")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for features of shape (B, T, F)."""
        self.project.build(input_shape)
        wide = (*input_shape[:-1], self.width)
        if self.norm is not None:
            self.norm.build(wide)
        if self.box is not None and self.box_norm is not None:
            self.box.build((*input_shape[:-1], len(WHOLE_PICTURE)))
            self.box_norm.build(wide)

    def call(
        self, features: Tensor, boxes: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """Embed features; a box that is not given is the whole picture."""
        features = at_least_float32(features)
        x = self.project(self.feature_dropout(features, training=training))
        if self.norm is not None:
            x = self.norm(x)
        if self.box is not None and self.box_norm is not None:
            if boxes is None:
                boxes = ops.reshape(ops.convert_to_tensor(WHOLE_PICTURE), (1, 1, -1))
            x = (x + self.box_norm(self.box(at_least_float32(boxes)))) / 2
        square = ops.mean(ops.square(x), axis=-1, keepdims=True)
        x = x * ops.minimum(1.0, _LONGEST * ops.rsqrt(ops.maximum(square, 1.0)))
        return self.dropout(ops.cast(x, self.compute_dtype), training=training)
