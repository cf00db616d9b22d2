"""The encoder that all six recipes stand on: BERT or RoFormer, over words and perhaps frames."""

from typing import Any

import keras
from keras import ops

from vidsim.layers.dense import INITIALIZER_STDDEV, dense
from vidsim.layers.numeric import Tensor
from vidsim.layers.segments import Segment
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.transformer_stack import TransformerStack, weight_and_bias


class TextEncoder(keras.layers.Layer):
    """Word embeddings, and the layers that read them alone or between other segments.

    A model that puts other segments beside the words takes `embed` and ``stack.encode``, and makes
    the weights by `build` first, so that they have their names within this layer.

    Args:
        config: architecture.

    Shapes:
        token_ids (B, L) int, token_mask (B, L) bool, token_types None or (B, L) int
        -> (B, L, width)

    What stands at hidden positions of the result has no meaning.

    Reference: Devlin et al. 2018 (arXiv:1810.04805); Su et al. 2021 (arXiv:2104.09864).
    """

    def __init__(self, config: EncoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        narrow = config.embedding_size or config.width
        self.words = _embedding(config.vocab_size, narrow, "words")
        self.types = _embedding(config.type_vocab_size, narrow, "types")
        if config.positions == "absolute":
            self.positions = _embedding(config.max_positions, narrow, "positions")
        self.norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, name="norm")
        self.dropout = keras.layers.Dropout(config.dropout, name="dropout")
        self.widen = dense(config.width, "widen") if narrow != config.width else None
        self.stack = TransformerStack(config, name="stack")

    def build(self, input_shape: tuple = ()) -> None:
        """Make all weights; those of the layers are named within this one, as layer_0 and so on."""
        narrow = (None, None, self.config.embedding_size or self.config.width)
        self.words.build(())
        self.types.build(())
        if self.config.positions == "absolute":
            self.positions.build(())
        self.norm.build(narrow)
        if self.widen is not None:
            self.widen.build(narrow)
        for layer in self.stack.layers:
            layer.build((None, self.config.width))

    def call(
        self,
        token_ids: Tensor,
        token_mask: Tensor,
        token_types: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Hidden states of texts alone."""
        embedded = self.embed(token_ids, token_types, training=training)
        text = Segment(embedded, token_mask, ops.arange(ops.shape(token_ids)[1]))
        return self.stack.encode([text], training)

    def embed(
        self,
        token_ids: Tensor,
        token_types: Tensor | None = None,
        positions: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Word, position and type embeddings, normalised: (B, L) -> (B, L, width).

        Args:
            token_ids: (B, L) int.
            token_types: (B, L) int; one beyond the encoder's types counts as its last. None: 0.
            positions: (L,) int; None: 0, 1, 2, ... Not read where positions are rotary.
            training: whether to drop.
        """
        if token_types is None:
            token_types = ops.zeros_like(token_ids)
        else:
            token_types = ops.minimum(token_types, self.config.type_vocab_size - 1)
        x = self.words(token_ids) + self.types(token_types)
        if self.config.positions == "absolute":
            if positions is None:
                positions = ops.arange(ops.shape(token_ids)[1])
            x = x + self.positions(positions)[None]
        x = self.dropout(self.norm(x), training=training)
        return x if self.widen is None else self.widen(x)

    def published_weights(self) -> dict[str, Any]:
        """Every weight by its name in BERT's and RoFormer's checkpoints, without their prefix."""
        named = {
            "embeddings.word_embeddings.weight": self.words.embeddings,
            "embeddings.token_type_embeddings.weight": self.types.embeddings,
        }
        if self.config.positions == "absolute":
            named["embeddings.position_embeddings.weight"] = self.positions.embeddings
        named |= weight_and_bias("embeddings.LayerNorm", self.norm)
        if self.widen is not None:
            named |= weight_and_bias("embeddings_project", self.widen)
        return named | self.stack.published_weights()


def _embedding(size: int, width: int, name: str) -> keras.layers.Embedding:
    initializer = keras.initializers.TruncatedNormal(stddev=INITIALIZER_STDDEV)
    return keras.layers.Embedding(size, width, embeddings_initializer=initializer, name=name)
