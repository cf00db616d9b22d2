"""Similarity: the cosine of two embeddings against the rating people gave."""

from vidsim import schema
from vidsim.losses.similarity import mean_squared_error, raw_kl, softmax_kl
from vidsim.objectives.configs import SimilarityConfig
from vidsim.objectives.objective import Objective, rows


class SimilarityObjective(Objective):
    """Mean squared error plus weighted KL over the batch's pairs."""

    needs = (schema.COSINE,)

    def __init__(self, config: SimilarityConfig):
        super().__init__(config.similarity_weight, name="similarity")
        self.config = config
        if config.kl_weight and config.kl_form == "raw":
            self.note = (
                "the similarity loss may be negative: its KL term compares bare numbers, not "
                "distributions, and is below 0 for pairs whose cosine is above their rating"
            )

    def call(self, outputs, inputs):
        sim, cosine = inputs[schema.SIM], outputs[schema.COSINE]
        loss = mean_squared_error(sim, cosine)
        if not self.config.kl_weight:
            return loss
        if self.config.kl_form == "raw":
            return loss + self.config.kl_weight * raw_kl(sim, cosine)
        kl = softmax_kl(sim, cosine, self.config.kl_temperature)
        return loss + self.config.kl_weight * kl

    def count(self, outputs, inputs):
        if self.config.kl_weight and self.config.kl_form == "softmax":
            return None  # the softmaxes are over the whole batch's pairs
        return rows(inputs[schema.SIM])
