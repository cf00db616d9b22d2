"""Masked words: predict them from the encoder's hidden states, at the masked positions only."""

from collections.abc import Mapping

import keras
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.activations import ACTIVATIONS
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor
from vidsim.losses.masked_lm import distilled_masked_lm, masked_lm, masked_lm_of_texts
from vidsim.objectives.configs import MaskedLMConfig
from vidsim.objectives.objective import Objective, rows


class MaskedLMObjective(Objective):
    """Cross-entropy of masked words, through a head with the word table as decoder.

    The mean over the batch's masked words; or, by `mlm_reduction`, the mean over its texts of the
    sum over each one's masked words, a text without any being 0.

    The published system fed its head from the 256-d projection and ran it on every position, frames
    included; here it reads the encoder's own width where a word was masked.

    Reference: Devlin et al. 2018 (arXiv:1810.04805), section 3.1.
    """

    needs = (schema.HIDDEN_STATES,)

    def __init__(self, config: MaskedLMConfig, backbone):
        super().__init__(config.mlm_weight, name="mlm")
        if not hasattr(getattr(backbone, "text_encoder", None), "words"):
            raise VidsimError(
                "the mlm loss needs words, and this model reads no text; set --mlm-weight 0"
            )
        self.of_texts = config.mlm_reduction == "sum"
        encoder = backbone.text_encoder.config
        size = encoder.embedding_size or encoder.width
        self.words = backbone.text_encoder.words
        self.transform = dense(size, "transform", activation=ACTIVATIONS[encoder.activation])
        self.transform.build((None, None, encoder.width))
        epsilon = encoder.layer_norm_eps
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, name="norm")
        self.norm.build((None, None, size))
        self.bias = self.add_weight(shape=(encoder.vocab_size,), initializer="zeros", name="bias")

    def published_weights(self):
        """The head's variables by the names they have in BERT's and RoFormer's checkpoints."""
        return {
            "cls.predictions.transform.dense.weight": self.transform.kernel,
            "cls.predictions.transform.dense.bias": self.transform.bias,
            "cls.predictions.transform.LayerNorm.weight": self.norm.gamma,
            "cls.predictions.transform.LayerNorm.bias": self.norm.beta,
            "cls.predictions.bias": self.bias,
        }

    def call(self, outputs, inputs):
        logits = self.logits(outputs[schema.HIDDEN_STATES], inputs)
        labels, weights = inputs[schema.MLM_LABELS], inputs[schema.MLM_WEIGHTS]
        if self.of_texts:
            return ops.mean(masked_lm_of_texts(labels, logits, weights))
        return masked_lm(labels, logits, weights)

    def logits(self, hidden_states: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """Scores over the vocabulary at the masked positions: (B, L, width) -> (B, P, V)."""
        positions = inputs[schema.MLM_POSITIONS]  # (B, P)
        hidden = ops.cast(hidden_states, "float32")
        masked = ops.take_along_axis(hidden, positions[:, :, None], axis=1)  # (B, P, width)
        features = self.norm(self.transform(masked))
        return ops.matmul(features, ops.transpose(self.words.embeddings)) + self.bias

    def count(self, outputs, inputs):
        weights = inputs[schema.MLM_WEIGHTS]
        return rows(weights) if self.of_texts else ops.sum(weights)


class DistilledLMObjective(MaskedLMObjective):
    """The same beside a momentum teacher, whose logits of the masked words the model gives.

    Reference: Li et al. 2021, ALBEF (arXiv:2107.07651), equation 7.
    """

    def call(self, outputs, inputs):
        return distilled_masked_lm(
            inputs[schema.MLM_LABELS],
            self.logits(outputs[schema.HIDDEN_STATES], inputs),
            outputs[schema.TEACHER_LOGITS],
            inputs[schema.MLM_WEIGHTS],
            outputs[schema.TEACHER_SHARE],
        )
