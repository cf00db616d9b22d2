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
        # where there are no states, build_objectives says so
        width = backbone.output_widths.get(schema.FRAME_STATES, 1)
        self.transform = dense(width, "transform", activation=ACTIVATIONS["gelu"], dtype="float32")
        self.transform.build((None, None, width))
        epsilon = backbone.spec.encoder.layer_norm_eps
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, name="norm", dtype="float32")
        self.norm.build((None, None, width))
        self.decoder = dense(size, "decoder", dtype="float32")
        self.decoder.build((None, None, width))

    def call(self, outputs, inputs):
        predicted = self.predictions(outputs)
        frames, chosen = inputs[self.stream], self._chosen(inputs)
        config = self.config
        if self.form == "regression":
            return masked_frame_regression(predicted, frames, chosen)
        if self.form == "soft":
            shares = frames if self.classes is None else inputs[schema.REGION_CLASSES]
            shares = ops.relu(ops.cast(shares, "float32"))
            shares = ops.divide_no_nan(shares, ops.sum(shares, axis=-1, keepdims=True))
            return masked_frame_classes(shares, predicted, chosen)
        return masked_frame_nce(
            predicted,
            frames,
            inputs[self.mask],
            chosen,
            config.masked_frames_temperature,
            config.masked_frames_normalize,
        )

    def count(self, outputs, inputs):
        if self.form == "nce":
            return None  # every frame of the batch is compared with
        return ops.sum(ops.cast(self._chosen(inputs), "float32"))

    def predictions(self, outputs):
        """What the head says of each frame, (B, T, F), or (B, T, classes)."""
        states = ops.cast(outputs[schema.FRAME_STATES], "float32")  # (B, T, width)
        return self.decoder(self.norm(self.transform(states)))

    def _chosen(self, inputs):
        real = ops.cast(inputs[self.mask], "bool")
        return ops.logical_and(real, ops.cast(inputs[schema.FRAMES_CHOSEN], "bool"))
