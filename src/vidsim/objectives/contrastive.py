"""Contrast before fusion: a title belongs to its own frames, not to another video's."""

from dataclasses import dataclass

from keras import ops

from vidsim import schema
from vidsim.losses.contrastive import symmetric_info_nce
from vidsim.objectives.objective import Objective, ObjectiveConfig


@dataclass(frozen=True)
class ContrastiveConfig(ObjectiveConfig):
    """Flags of the contrastive loss."""

    contrastive_weight: float = 0.0
    """Weight of the contrastive loss between the title and each branch's frames, before fusion."""
    contrastive_temperature: float = 0.07
    """Divides the cosines (no unit)."""

    @property
    def weight(self) -> float:
        return self.contrastive_weight

    def build(self, backbone) -> Objective:
        return ContrastiveObjective(self)


class ContrastiveObjective(Objective):
    """Mean over branches of the symmetric InfoNCE of text and vision vectors."""

    needs = (schema.TEXT_VECTOR, schema.VISION_VECTORS)

    def __init__(self, config: ContrastiveConfig):
        super().__init__(config.contrastive_weight, name="contrastive")
        self.temperature = config.contrastive_temperature

    def call(self, outputs, inputs):
        text = outputs[schema.TEXT_VECTOR]  # (B, D)
        visions = outputs[schema.VISION_VECTORS]  # (K, B, D)
        has_frames = ops.any(ops.cast(inputs[schema.FRAME_MASK], "bool"), axis=1)  # (B,)
        losses = [
            symmetric_info_nce(visions[k], text, self.temperature, mask=has_frames)
            for k in range(visions.shape[0])
        ]
        return ops.mean(ops.stack(losses))
