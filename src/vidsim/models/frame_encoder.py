"""A small Transformer over a video's frames, with a [CLS] of its own."""

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from vidsim.layers.dense import INITIALIZER_STDDEV
from vidsim.layers.frame_embedding import FrameEmbedding
from vidsim.layers.numeric import Tensor
from vidsim.layers.segments import Segment
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.transformer_stack import TransformerStack


class FrameEncoder(keras.layers.Layer):
    """Frames with learned positions and a learned [CLS] before them, through transformer layers.

    It stands where the published model has a vision transformer over the patches of one picture:
    a frame's features are a patch's here.

    Args:
        config: the text encoder's shape, of which it takes width, heads and dropouts.
        layers: number of layers; with 0 of them [CLS] knows nothing of the frames.
        max_frames: most frames of a video.
        feature_dropout: of the frames' numbers, the same ones in all frames of a video.

    Shapes:
        frames (B, T, F), mask (B, T) bool -> states (B, 1 + T, width), mask (B, 1 + T) bool

    A video without frames has no [CLS] either: nothing of it is real.

    Reference: Dosovitskiy et al. 2020, ViT (arXiv:2010.11929), for [CLS] and positions.
    """

    def __init__(
        self,
        config: EncoderConfig,
        layers: int,
        max_frames: int,
        feature_dropout: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = config.width
        self.embedding = FrameEmbedding(
            config.width,
            config.dropout,
            config.layer_norm_eps,
            feature_dropout,
            activation="linear",
            positions=max_frames,
            name="frame_embedding",
        )
        shape = replace(config, layers=layers, positions="absolute")
        self.stack = TransformerStack(shape, name="stack")

    def build(self, frames_shape: tuple, mask_shape: tuple | None = None) -> None:
        """Make the weights for frames of shape (B, T, F)."""
        self.cls = self.add_weight(
            shape=(self.width,),
            initializer=keras.initializers.TruncatedNormal(stddev=INITIALIZER_STDDEV),
            name="type",  # has no weight decay, like every vector that marks a token's kind
        )
        self.embedding.build(frames_shape)
        for layer in self.stack.layers:
            layer.build((None, self.width))

    def call(
        self, frames: Tensor, mask: Tensor, training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode the frames of B videos."""
        mask = ops.cast(mask, "bool")
        embedded = self.embedding(frames, training=training)
        batch = ops.shape(mask)[0]
        first = ops.broadcast_to(ops.cast(self.cls, embedded.dtype), (batch, 1, self.width))
        some = ops.any(mask, axis=1, keepdims=True)
        segments = [
            Segment(first, some, ops.arange(1)),
            Segment(embedded, mask, 1 + ops.arange(ops.shape(mask)[1])),
        ]
        return self.stack.encode(segments, training), ops.concatenate([some, mask], axis=1)
