"""Uniter: words and frames in one sequence through one encoder, pooled over what is real."""

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.frame_embedding import FrameEmbedding
from vidsim.layers.pooling import masked_max, masked_mean
from vidsim.models.backbone import Backbone
from vidsim.models.configs import UniterConfig
from vidsim.models.input_spec import InputSpec
from vidsim.models.text_encoder import TextEncoder


class Uniter(Backbone):
    """A single-stream encoder over [words; frames].

    The published mean ran over 32 slots of words and 32 of frames, padding included, so title and
    frames weighed the same. "mean" keeps that balance, without the padding: with four frames beside
    thirteen words, a mean over all of them would hardly see the frames.

    Outputs, besides EMBEDDING (B, 256, signed) and TAG_LOGITS (B, C): HIDDEN_STATES (B, L, width),
    the encoder's output over the title, where masked words are predicted.

    Reference: fourth place of the CIKM 2021 multimodal video similarity challenge; Chen et al.
    2020, UNITER (arXiv:1909.11740).
    """

    def __init__(self, config: UniterConfig, spec: InputSpec):
        super().__init__(config, spec)
        encoder = spec.encoder
        self.pooling, self.frame_skip = config.uniter_pooling, config.frame_skip
        self.text_encoder = TextEncoder(
            encoder, extra_position=config.bert_seq_length, name="text_encoder"
        )
        self.frame_embedding = FrameEmbedding(
            encoder.width,
            encoder.dropout,
            encoder.layer_norm_eps,
            config.feature_dropout,
            name="frame_embedding",
        )
        self.project = keras.layers.Dense(config.hidden_size, dtype="float32", name="project")
        self.classifier = keras.layers.Dense(spec.num_labels, dtype="float32", name="classifier")

    def call(self, inputs, training=None):
        token_mask = ops.cast(inputs[schema.TOKEN_MASK], "bool")
        frame_mask = ops.cast(inputs[schema.FRAME_MASK], "bool")
        frames = self.frame_embedding(inputs[schema.FRAMES], training=training)  # (B, T, width)
        hidden = self.text_encoder(
            inputs[schema.TOKEN_IDS], token_mask, frames, frame_mask, training=training
        )  # (B, L + T, width)
        pooled = self._pool(hidden, token_mask, frame_mask)
        if self.frame_skip:
            pooled = ops.concatenate([pooled, masked_mean(frames, frame_mask)], axis=-1)
        embedding = self.project(pooled)
        length = ops.shape(token_mask)[1]
        return {
            schema.EMBEDDING: embedding,
            schema.TAG_LOGITS: self.classifier(embedding),
            schema.HIDDEN_STATES: hidden[:, :length],
        }

    def encoder_was_loaded(self) -> None:
        """Frames start at the scale of the words that the encoder knows: with their LayerNorm."""
        words, frames = self.text_encoder.norm, self.frame_embedding.norm
        if words.gamma.shape == frames.gamma.shape:  # not where words are embedded more narrowly
            frames.gamma.assign(words.gamma)
            frames.beta.assign(words.beta)

    def _pool(self, hidden, token_mask, frame_mask):
        """(B, L + T, width) -> (B, width), over what the masks (B, L) and (B, T) show."""
        if self.pooling == "cls":
            return hidden[:, 0]
        mask = ops.concatenate([token_mask, frame_mask], axis=1)
        if self.pooling == "max":
            return masked_max(hidden, mask)
        if self.pooling == "token_mean":
            return masked_mean(hidden, mask)
        length = ops.shape(token_mask)[1]
        words = masked_mean(hidden[:, :length], token_mask)
        frames = masked_mean(hidden[:, length:], frame_mask)
        has_frames = ops.any(frame_mask, axis=1, keepdims=True)
        return ops.where(has_frames, 0.5 * (words + frames), words)
