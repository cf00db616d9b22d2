"""Contrast before fusion: a title belongs to its own frames, not to another video's."""

from keras import ops

from vidsim import schema
from vidsim.losses.contrastive import symmetric_info_nce
from vidsim.objectives.configs import ContrastiveConfig
from vidsim.objectives.objective import Objective


class ContrastiveObjective(Objective):
    """Mean over branches of the symmetric InfoNCE of text and vision vectors.

    Videos without frames are left out, and so are rows that are not MATCHED.
    """

    needs = (schema.TEXT_VECTOR, schema.VISION_VECTORS)

    def __init__(self, config: ContrastiveConfig):
        super().__init__(config.contrastive_weight, name="contrastive")
        self.temperature = config.contrastive_temperature

    def call(self, outputs, inputs):
        text = outputs[schema.TEXT_VECTOR]  # (B, D)
        visions = outputs[schema.VISION_VECTORS]  # (K, B, D)
        whole = ops.any(ops.cast(inputs[schema.FRAME_MASK], "bool"), axis=1)  # (B,)
        if schema.MATCHED in inputs:
            whole = ops.logical_and(whole, ops.cast(inputs[schema.MATCHED], "bool"))
        losses = [
            symmetric_info_nce(visions[k], text, self.temperature, mask=whole)
            for k in range(visions.shape[0])
        ]
        return ops.mean(ops.stack(losses))
