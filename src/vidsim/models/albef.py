"""ALBEF: words and frames are encoded apart, compared, and then fused by cross-attention."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.attention import Rows
from vidsim.layers.numeric import Tensor, at_least_float32
from vidsim.layers.packing import pack
from vidsim.layers.pooling import masked_first, masked_mean
from vidsim.layers.projection import Projection
from vidsim.layers.segments import Segment, pack_segments
from vidsim.layers.transformer_layer import CrossAttentionLayer
from vidsim.models.albef_config import AlbefConfig
from vidsim.models.backbone import Backbone
from vidsim.models.frame_encoder import FrameEncoder
from vidsim.models.input_spec import InputSpec
from vidsim.models.side import Side, make_side
from vidsim.models.text_encoder import TextEncoder
from vidsim.models.transformer_stack import layer_weights


class Albef(Backbone):
    """A text encoder, a frame encoder, and layers of words that attend to the frames.

    Outputs, besides EMBEDDING (B, 256) and, where there are tags, TAG_LOGITS (B, C):
    TEXT_EMBEDDING and VIDEO_EMBEDDING (B, 256), each of length one, of words and frames alone (a
    model of one side has one of them); HIDDEN_STATES (B, L, width), the fused states over the text;
    FRAME_STATES (B, T, width); MATCH_VECTOR (B, width), the fused [CLS].

    EMBEDDING is the sum of two projections: of the fused words, pooled, and of the video's vector.
    Words without frames pass the fusion with a context of zeros; what a row lacks is zeros there,
    so that a row with one side is embedded by that side.

    `text_side`, `video_side` and `fuse` are the model's ways, for those who compare sides of
    different videos.

    Reference: Li et al. 2021, Align before Fuse (arXiv:2107.07651), section 3.1; frames stand where
    it has patches of one picture.
    """

    config: AlbefConfig
    text_encoder: TextEncoder | None
    frame_encoder: FrameEncoder | None

    def __init__(self, config: AlbefConfig, spec: InputSpec) -> None:
        super().__init__(config, spec)
        encoder = spec.encoder
        self.width, self.heads = encoder.width, encoder.heads
        self.rotary = encoder.positions == "rotary"
        self.text_pooling, self.frame_skip = config.text_pooling, config.frame_skip
        reads_frames = spec.frame_size is not None
        self.fusion: list[CrossAttentionLayer] = []
        self.text_encoder = self.frame_encoder = None
        if spec.has_text and reads_frames:
            self.fusion = self._fusion_layers(config, spec)
        if spec.has_text:
            shared = len(self.fusion) if config.fusion_from == "split" else 0
            own = replace(encoder, layers=encoder.layers - shared)
            self.text_encoder = TextEncoder(own, name="text_encoder")
            self.text_project = self._projection("text_project", config.text_input_dropout)
            self.word_project = _dense(config.hidden_size, "word_project")
        if reads_frames:
            self.frame_encoder = FrameEncoder(
                encoder,
                config.frame_layers,
                config.max_frames,
                config.feature_dropout,
                name="frame_encoder",
            )
            self.skip_norm = None
            if config.frame_skip:
                self.skip_norm = keras.layers.LayerNormalization(
                    dtype="float32", epsilon=encoder.layer_norm_eps, name="skip_norm"
                )
            self.video_project = self._projection("video_project", config.frame_input_dropout)
            self.frame_project = _dense(config.hidden_size, "frame_project")
        self.dropout = keras.layers.Dropout(config.dropout, name="dropout")
        self.classifier = self.make_classifier("classifier")

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of layers whose parts `call` uses one by one."""
        if self.text_encoder is not None:
            self.text_encoder.build(())
        for layer in self.fusion:
            layer.build((None, self.width))

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """Embed B videos."""
        text = self.text_side(inputs, training) if self.text_encoder is not None else None
        video = self.video_side(inputs, training) if self.frame_encoder is not None else None
        return self.outputs(text, video, training)

    def outputs(
        self,
        text: Side | None,
        video: Side | None,
        training: bool | None = None,
        fused: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """All outputs, from the two sides of B videos (None: the model has no such side).

        Args:
            text: of `text_side`.
            video: of `video_side`.
            training: whether to drop.
            fused: of `fuse`, where it is known.
        """
        found, parts = {}, []
        if text is not None:
            states = text.states if fused is None else fused
            if video is not None and fused is None:
                states = self.fuse(text, video, training)
            found[schema.HIDDEN_STATES] = states
            found[schema.TEXT_EMBEDDING] = text.feature
            parts.append((self.word_project, self._pool(states, text.mask)))
            if video is not None:
                found[schema.MATCH_VECTOR] = self.match_vector(states, text.mask)
        if video is not None:
            found[schema.FRAME_STATES] = video.states[:, 1:]
            found[schema.VIDEO_EMBEDDING] = video.feature
            parts.append((self.frame_project, video.vector))
        projected = [layer(self.dropout(x, training=training)) for layer, x in parts]
        embedding = projected[0] if len(projected) == 1 else projected[0] + projected[1]
        found = {schema.EMBEDDING: embedding} | found
        if self.classifier is not None:
            found[schema.TAG_LOGITS] = self.classifier(embedding)
        return found

    @property
    def text_is_fixed(self) -> bool:
        """Whether the text encoder gives the same states in training as without."""
        text = self.text_encoder
        return text is not None and not text.trainable_variables and not text.dropout.rate

    def text_side(
        self,
        inputs: Mapping[str, Tensor],
        training: bool | None = None,
        states: Tensor | None = None,
    ) -> Side:
        """The words alone.

        Args:
            inputs: as of `call`.
            training: whether to drop.
            states: of the text encoder, where they are known.
        """
        mask = ops.cast(inputs[schema.TOKEN_MASK], "bool")
        if states is None:
            assert self.text_encoder is not None
            states = self.text_encoder(
                inputs[schema.TOKEN_IDS], mask, inputs.get(schema.TOKEN_TYPES), training=training
            )
        vector = self._pool(states, mask)
        return make_side(states, mask, vector, self.text_project(vector, training=training))

    def video_side(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> Side:
        """The frames alone."""
        frames, mask = inputs[schema.FRAMES], ops.cast(inputs[schema.FRAME_MASK], "bool")
        assert self.frame_encoder is not None
        states, real = self.frame_encoder(frames, mask, training=training)
        vector = at_least_float32(masked_first(states, real))
        if self.skip_norm is not None:
            mean = self.skip_norm(masked_mean(at_least_float32(frames), mask))
            mean = ops.where(ops.any(mask, axis=1, keepdims=True), mean, 0.0)
            vector = ops.concatenate([vector, mean], axis=-1)
        return make_side(states, real, vector, self.video_project(vector, training=training))

    def fuse(self, text: Side, video: Side, training: bool | None = None) -> Tensor:
        """The words after the layers that attend to the frames: (B, L, width)."""
        states = ops.cast(text.states, self.compute_dtype)
        positions = ops.arange(ops.shape(text.mask)[1])
        packed = pack_segments(
            [Segment(states, text.mask, positions)], self.heads, rotary=self.rotary
        )
        frames = pack(video.mask, self.heads)
        memory = Rows(frames.rows(ops.cast(video.states, self.compute_dtype)), frames)
        rows = packed.rows
        for layer in self.fusion:
            rows = layer(
                rows,
                packing=packed.packing,
                memory=memory,
                rotary=packed.rotary,
                training=training,
            )
        return packed.packing.positions(rows)

    def match_vector(self, fused: Tensor, mask: Tensor) -> Tensor:
        """(B, L, width) of `fuse` and the text's mask -> (B, width), what a match head reads."""
        return masked_first(fused, mask)

    def published_weights(self) -> dict[str, keras.Variable]:
        named = super().published_weights()
        if self.config.fusion_from == "split" and self.text_encoder is not None:
            first = self.text_encoder.config.layers
            for place, layer in enumerate(self.fusion):
                named |= layer_weights(f"encoder.layer.{first + place}", layer)
        return named

    def encoder_was_loaded(self) -> None:
        """Frames start at the scale of the words that the encoder knows: with their LayerNorm."""
        if self.text_encoder is None or self.frame_encoder is None:
            return
        words, frames = self.text_encoder.norm, self.frame_encoder.embedding.norm
        if words.gamma.shape == frames.gamma.shape:  # not where words are embedded more narrowly
            frames.gamma.assign(words.gamma)
            frames.beta.assign(words.beta)

    def _fusion_layers(self, config: AlbefConfig, spec: InputSpec) -> list[CrossAttentionLayer]:
        encoder = spec.encoder
        return [
            CrossAttentionLayer(
                encoder.heads,
                encoder.intermediate,
                encoder.activation,
                encoder.dropout,
                encoder.attention_dropout,
                encoder.layer_norm_eps,
                name=f"fusion_{number}",
            )
            for number in range(config.fusion_layers)
        ]

    def _projection(self, name: str, first: float | None) -> Projection:
        config = self.config
        hidden = config.projection_hidden if config.projection == "mlp" else 0
        return Projection(config.hidden_size, hidden, config.projection_dropout, first, name=name)

    def _pool(self, states: Tensor, mask: Tensor) -> Tensor:
        pool = masked_first if self.text_pooling == "cls" else masked_mean
        return at_least_float32(pool(states, mask))


def _dense(size: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(size, dtype="float32", name=name)
