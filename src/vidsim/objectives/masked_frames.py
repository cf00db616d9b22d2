"""Masked frames: predict what was hidden, from the encoder's states over the frames."""

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.activations import ACTIVATIONS
from vidsim.layers.dense import dense
from vidsim.losses.masked_frames import (
    masked_frame_classes,
    masked_frame_nce,
    masked_frame_regression,
)
from vidsim.objectives.configs import MaskedFramesConfig
from vidsim.objectives.objective import Objective


class MaskedFramesObjective(Objective):
    """Mean over the chosen frames of a batch, by a head of Dense, GELU, LayerNorm, Dense.

    It reads FRAME_STATES, FRAMES as they were, FRAME_MASK and FRAMES_CHOSEN. Rows whose text is
    another video's count too: their frames are whole.

    Reference: the winner of the CIKM 2021 challenge (arXiv:2111.01677), for the head and the NCE.
    """

    needs = (schema.FRAME_STATES,)

    def __init__(self, config: MaskedFramesConfig, backbone):
        super().__init__(config.masked_frames_weight, name="masked_frames")
        self.config = config
        # where there are no states, build_objectives says so
        width = backbone.output_widths.get(schema.FRAME_STATES, 1)
        self.transform = dense(width, "transform", activation=ACTIVATIONS["gelu"], dtype="float32")
        self.transform.build((None, None, width))
        epsilon = backbone.spec.encoder.layer_norm_eps
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, name="norm", dtype="float32")
        self.norm.build((None, None, width))
        self.decoder = dense(backbone.spec.frame_size or 1, "decoder", dtype="float32")
        self.decoder.build((None, None, width))

    def call(self, outputs, inputs):
        states = ops.cast(outputs[schema.FRAME_STATES], "float32")  # (B, T, width)
        predicted = self.decoder(self.norm(self.transform(states)))  # (B, T, F)
        frames, chosen = inputs[schema.FRAMES], self._chosen(inputs)
        config = self.config
        if config.masked_frames_form == "regression":
            return masked_frame_regression(predicted, frames, chosen)
        if config.masked_frames_form == "soft":
            shares = ops.relu(ops.cast(frames, "float32"))
            shares = ops.divide_no_nan(shares, ops.sum(shares, axis=-1, keepdims=True))
            return masked_frame_classes(shares, predicted, chosen)
        return masked_frame_nce(
            predicted,
            frames,
            inputs[schema.FRAME_MASK],
            chosen,
            config.masked_frames_temperature,
            config.masked_frames_normalize,
        )

    def count(self, outputs, inputs):
        if self.config.masked_frames_form == "nce":
            return None  # every frame of the batch is compared with
        return ops.sum(ops.cast(self._chosen(inputs), "float32"))

    def _chosen(self, inputs):
        real = ops.cast(inputs[schema.FRAME_MASK], "bool")
        return ops.logical_and(real, ops.cast(inputs[schema.FRAMES_CHOSEN], "bool"))
