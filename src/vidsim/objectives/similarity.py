"""Similarity: the cosine of two embeddings against the rating people gave."""

from dataclasses import dataclass
from typing import Literal

from vidsim import schema
from vidsim.losses.similarity import mean_squared_error, raw_kl, softmax_kl
from vidsim.objectives.objective import Objective, ObjectiveConfig


@dataclass(frozen=True)
class SimilarityConfig(ObjectiveConfig):
    """Flags of the similarity loss: similarity_weight x (MSE + kl_weight x KL)."""

    similarity_weight: float = 128.0
    """Weight of mean squared error and KL together, beside a tag loss of weight 1. The published
    system sums the squared error over its batch of 128 pairs: the same proportion."""
    kl_weight: float = 0.5
    """Weight of the KL term against the squared error."""
    kl_form: Literal["raw", "softmax"] = "raw"
    """raw: as published, on the bare numbers; not a divergence, but it weighs a cosine's error by
    its share of the rating, and it measures better (README). softmax: KL between the batch's
    softmaxes of ratings and cosines."""
    kl_temperature: float = 0.1
    """Divides ratings and cosines before the softmax (no unit)."""

    @property
    def weight(self) -> float:
        return self.similarity_weight

    def build(self, backbone) -> Objective:
        return SimilarityObjective(self)


class SimilarityObjective(Objective):
    """Mean squared error plus weighted KL over the batch's pairs."""

    needs = (schema.COSINE,)

    def __init__(self, config: SimilarityConfig):
        super().__init__(config.similarity_weight, name="similarity")
        self.config = config

    def call(self, outputs, inputs):
        sim, cosine = inputs[schema.SIM], outputs[schema.COSINE]
        loss = mean_squared_error(sim, cosine)
        if not self.config.kl_weight:
            return loss
        if self.config.kl_form == "raw":
            return loss + self.config.kl_weight * raw_kl(sim, cosine)
        kl = softmax_kl(sim, cosine, self.config.kl_temperature)
        return loss + self.config.kl_weight * kl
