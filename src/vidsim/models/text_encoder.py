"""The encoder that all six recipes stand on: BERT or RoFormer, over words and perhaps frames."""

import keras
from keras import ops

from vidsim.layers.dense import INITIALIZER_STDDEV, dense
from vidsim.layers.packing import pack
from vidsim.layers.rotary import rotary_angles
from vidsim.layers.transformer_layer import TransformerLayer
from vidsim.models.configs import EncoderConfig


class TextEncoder(keras.layers.Layer):
    """Words to hidden states; extra, already embedded tokens may follow the words.

    Args:
        config: architecture.

    Shapes:
        token_ids (B, L) int, token_mask (B, L) bool; extra (B, T, width), extra_mask (B, T) bool
        -> (B, L + T, width)

    What stands at hidden positions of the result has no meaning.

    Rotary positions of extra tokens start at ``extra_position``, not at L: the number of padding
    tokens in the batch must not change an output.

    Reference: Devlin et al. 2018 (arXiv:1810.04805); Su et al. 2021 (arXiv:2104.09864).
    """

    def __init__(self, config: EncoderConfig, extra_position: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.extra_position = extra_position
        narrow = config.embedding_size or config.width
        self.words = _embedding(config.vocab_size, narrow, "words")
        self.types = _embedding(config.type_vocab_size, narrow, "types")
        if config.positions == "absolute":
            self.positions = _embedding(config.max_positions, narrow, "positions")
        self.norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, name="norm")
        self.dropout = keras.layers.Dropout(config.dropout, name="dropout")
        self.widen = dense(config.width, "widen") if narrow != config.width else None
        self.layers = [
            TransformerLayer(
                config.heads,
                config.intermediate,
                config.activation,
                config.dropout,
                config.attention_dropout,
                config.layer_norm_eps,
                config.rotary_value,
                name=f"layer_{i}",
            )
            for i in range(config.layers)
        ]

    def call(self, token_ids, token_mask, extra=None, extra_mask=None, training=None):
        x, mask = self.embed(token_ids, training=training), ops.cast(token_mask, "bool")
        positions = ops.arange(ops.shape(token_ids)[1])
        if extra is not None:
            x = ops.concatenate([x, ops.cast(extra, x.dtype)], axis=1)  # (B, L + T, width)
            mask = ops.concatenate([mask, ops.cast(extra_mask, "bool")], axis=1)
            after = self.extra_position + ops.arange(ops.shape(extra)[1])
            positions = ops.concatenate([positions, after])
        packing = pack(mask, self.config.heads)
        rows, rotary = packing.rows(x), None  # (R, width), hardly any padding
        if self.config.positions == "rotary":
            angles = rotary_angles(positions, self.config.width // self.config.heads)
            rotary = [packing.rows(_repeat(angle, ops.shape(mask)[0])) for angle in angles]
        for layer in self.layers:
            rows = layer(rows, packing=packing, rotary=rotary, training=training)
        return packing.positions(rows)

    def embed(self, token_ids, training=None):
        """Word, position and type embeddings of a title, normalised: (B, L) -> (B, L, width)."""
        x = self.words(token_ids) + self.types(ops.zeros_like(token_ids))
        if self.config.positions == "absolute":
            x = x + self.positions(ops.arange(ops.shape(token_ids)[1]))[None]
        x = self.dropout(self.norm(x), training=training)
        return x if self.widen is None else self.widen(x)


def _repeat(x, batch: int):
    """(S, D) -> (B, S, D)."""
    return ops.broadcast_to(x[None], (batch, *ops.shape(x)))


def _embedding(size: int, width: int, name: str) -> keras.layers.Embedding:
    initializer = keras.initializers.TruncatedNormal(stddev=INITIALIZER_STDDEV)
    return keras.layers.Embedding(size, width, embeddings_initializer=initializer, name=name)
