"""Masked frames: predict what was hidden, from the encoder's states over the frames."""

import math

from keras import ops

from vidsim import schema
from vidsim.layers.prediction_head import PredictionHead
from vidsim.losses.masked_frames import (
    masked_frame_classes,
    masked_frame_nce,
    masked_frame_regression,
)
from vidsim.objectives.configs import MaskedFramesConfig
from vidsim.objectives.objective import Objective


class MaskedFramesObjective(Objective):
    """Mean over the chosen frames of a batch, by a head of Dense, GELU, LayerNorm, Dense.

    It reads FRAME_STATES, FRAMES as they were, FRAME_MASK and FRAMES_CHOSEN; of a model that reads
    regions REGIONS, REGION_MASK and, where the data have them, REGION_CLASSES. Rows whose text is
    another video's count too: their frames are whole.

    Reference: the winner of the CIKM 2021 challenge (arXiv:2111.01677), for the head and the NCE.
    """

    needs = (schema.FRAME_STATES,)

    def __init__(self, config: MaskedFramesConfig, backbone):
        super().__init__(config.masked_frames_weight, name="masked_frames")
        self.config = config
        widths = backbone.spec.widths
        regions = schema.REGIONS in widths
        self.stream = schema.REGIONS if regions else schema.FRAMES
        self.mask = schema.REGION_MASK if regions else schema.FRAME_MASK
        self.classes = widths.get(schema.REGION_CLASSES) if regions else None
        self.form = config.masked_frames_form
        if self.form == "auto":
            self.form = "soft" if self.classes else "nce"
        size = (self.form == "soft" and self.classes) or widths.get(self.stream, 1)
        # percent: twice the expected share; of many frames never so many are chosen
        self.most = math.ceil(200 * config.masked_frames_share)
        # where there are no states, build_objectives says so
        width = backbone.output_widths.get(schema.FRAME_STATES, 1)
        self.head = PredictionHead(width, size, backbone.spec.encoder.layer_norm_eps, name="head")

    def call(self, outputs, inputs):
        chosen = ops.reshape(self._chosen(inputs), (-1,))  # (B T,)
        states = _flat(outputs[schema.FRAME_STATES])  # (B T, width)
        every = _flat(inputs[self.stream])  # (B T, F)
        # the chosen ones first, and as many as there could be: the head reads no others
        count = chosen.shape[0] or ops.shape(chosen)[0]
        places = ops.argsort(ops.logical_not(chosen))[: count * self.most // 100 + 16]
        chosen = ops.take(chosen, places, axis=0)
        predicted = self.head(ops.take(states, places, axis=0))
        config = self.config
        if self.form == "nce":
            real = ops.reshape(ops.cast(inputs[self.mask], "bool"), (-1,))
            how = config.masked_frames_temperature, config.masked_frames_normalize
            return masked_frame_nce(predicted, places, chosen, every, real, *how)
        if self.form == "soft" and self.classes is not None:
            every = _flat(inputs[schema.REGION_CLASSES])
        frames = ops.take(every, places, axis=0)
        if self.form == "regression":
            return masked_frame_regression(predicted, frames, chosen)
        shares = ops.relu(frames)
        shares = ops.divide_no_nan(shares, ops.sum(shares, axis=-1, keepdims=True))
        return masked_frame_classes(shares, predicted, chosen)

    def count(self, outputs, inputs):
        if self.form == "nce":
            return None  # every frame of the batch is compared with
        return ops.sum(ops.cast(self._chosen(inputs), "float32"))

    def _chosen(self, inputs):
        real = ops.cast(inputs[self.mask], "bool")
        return ops.logical_and(real, ops.cast(inputs[schema.FRAMES_CHOSEN], "bool"))


def _flat(x):
    """(B, T, D) -> (B T, D) float32."""
    return ops.reshape(ops.cast(x, "float32"), (-1, x.shape[-1]))
