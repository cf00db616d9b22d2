"""Flags of the losses that need a momentum teacher, as data: read without Keras."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from vidsim.config_fields import Range, Rate, Weight
from vidsim.objectives.configs import MaskedLMConfig, MatchConfig, ObjectiveConfig

if TYPE_CHECKING:
    from vidsim.objectives.objective import Objective

LOWEST, HIGHEST = 0.001, 0.5
"""Of the temperature, as in ALBEF (arXiv:2107.07651)."""


@dataclass(frozen=True)
class MomentumContrastConfig(ObjectiveConfig):
    """Flags of the contrast between texts and videos with a momentum teacher and a queue."""

    itc_weight: Weight = 1.0
    """Weight of the contrast between texts and videos, before fusion."""
    itc_temperature: Annotated[float, Range(LOWEST, HIGHEST)] = 0.07
    """Divides the cosines (no unit): where it starts, for it is learned, within 0.001 and 0.5."""
    itc_log_temperature: bool = False
    """Whether its logarithm is learned. The published code learns the temperature itself, at rates
    of 1e-4 and below; at ten times that, some dozen updates take it to its lower bound."""
    itc_queue: Annotated[int, Range(0, 2**24)] = 65536
    """Texts and videos of former batches that are kept to be told apart from, a multiple of
    --batch-size; 0: none."""
    itc_momentum: Rate = 0.995
    """Share of the teacher that stays in an update; the rest comes from the model."""
    itc_alpha: Rate = 0.4
    """Share of the teacher in what is to be learned, also of masked words."""
    itc_alpha_steps: Annotated[int, Range(0, 2**31 - 1)] = 0
    """Updates in which that share rises from 0; published is one epoch."""

    @property
    def weight(self) -> float:
        return self.itc_weight

    def fits(self, batch_size: int) -> Iterator[str]:
        """What does not go with the batch, in a sentence."""
        if self.itc_weight and self.itc_queue % batch_size:
            yield f"{self.said('itc_queue')} is not a multiple of --batch-size {batch_size}"

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.momentum_contrast import MomentumContrastObjective

        return MomentumContrastObjective(self)


@dataclass(frozen=True)
class DistilledLMConfig(MaskedLMConfig):
    """Flags of the masked-word loss beside a momentum teacher: a mean over all masked words."""

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        if self.mlm_reduction != "mean":
            yield f"{self.said('mlm_reduction')}: beside a momentum teacher accepted is mean"

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.masked_lm import DistilledLMObjective

        return DistilledLMObjective(self, backbone)


@dataclass(frozen=True)
class HardMatchConfig(MatchConfig):
    """Flags of the match loss with hard wrong pairs, beside which all words are predicted."""

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        for name in ("match_mismatch", "match_words"):
            if self.origin(name) == "flag":
                yield f"{self.said(name)} does nothing where wrong pairs are hard ones of the batch"

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.hard_match import HardMatchObjective

        return HardMatchObjective(self, backbone)


@dataclass(frozen=True)
class RetrievalMatchConfig(ObjectiveConfig):
    """Flags of the match loss in retrieval."""

    match_weight: Weight = 0.0
    """Weight of the loss of a match head, which scores a sentence and a video together and can sort
    what the embeddings found (inference --mode). Its wrong pairs are hard ones of the batch; they
    cost a forward pass over three times the pairs."""

    @property
    def weight(self) -> float:
        return self.match_weight

    def build(self, backbone) -> "Objective":
        from vidsim.objectives.hard_match import RetrievalMatchObjective

        return RetrievalMatchObjective(self)
