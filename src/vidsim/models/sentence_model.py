"""A text encoder and the mean over a sentence's words: what sentence-transformers calls a model."""

from typing import Any

import keras
import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.pooling import masked_mean
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.text_encoder import TextEncoder


class SentenceModel(keras.Model):
    """Sentences to vectors: the mean of the encoder's hidden states over real tokens.

    Shapes: token_ids (B, L) int, token_mask (B, L) bool -> (B, width) float32. [CLS] and [SEP] are
    among the tokens, padding is not.

    Reference: Reimers and Gurevych 2019, Sentence-BERT (arXiv:1908.10084).
    """

    def __init__(self, encoder: EncoderConfig):
        if keras.config.floatx() != "float32":
            raise VidsimError(
                f"Keras computes in {keras.config.floatx()} (by keras.json or set_floatx); call "
                "keras.config.set_floatx('float32') before a model is made"
            )
        super().__init__(name="sentence_model")
        self.encoder_config = encoder
        self.text_encoder = TextEncoder(encoder, name="text_encoder")
        made = {
            schema.TOKEN_IDS: np.zeros((1, 2), "int32"),
            schema.TOKEN_MASK: np.ones((1, 2), bool),
        }
        self(made)  # creates the weights

    def call(self, inputs, training=None):
        mask = inputs[schema.TOKEN_MASK]
        hidden = self.text_encoder(inputs[schema.TOKEN_IDS], mask, training=training)
        return keras.ops.cast(masked_mean(hidden, mask), "float32")  # (B, L, width) -> (B, width)

    def published_weights(self) -> dict[str, Any]:
        """The variables that a published text encoder fills, by their names in its file."""
        return self.text_encoder.published_weights()

    def encoder_was_loaded(self) -> None:
        """Nothing here follows the encoder's weights."""
