"""Contrast of texts and videos with the keys of a momentum teacher."""

import math

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.losses.momentum_contrast import momentum_contrast
from vidsim.objectives.momentum_configs import HIGHEST, LOWEST, MomentumContrastConfig
from vidsim.objectives.objective import Objective, rows


class MomentumContrastObjective(Objective):
    """Mean over rows and both directions, with a learned temperature.

    The model that has the teacher gives cosines and targets, for which it reads the temperature. It
    is put back into its bounds after every update, as the published code does before every one.

    Reference: Li et al. 2021, ALBEF (arXiv:2107.07651), equations 1, 2 and 6.

    Attributes:
        config: the flags, which also say what the teacher is like.
        learned: the variable, the temperature or its logarithm.
    """

    needs = (schema.TEXT_EMBEDDING, schema.VIDEO_EMBEDDING)

    def __init__(self, config: MomentumContrastConfig) -> None:
        super().__init__(config.itc_weight, name="itc")
        self.config = config
        start, low, high, name = config.itc_temperature, LOWEST, HIGHEST, "temperature"
        if config.itc_log_temperature:
            start, low, high = math.log(start), math.log(low), math.log(high)
            name = "log_temperature"
        self.learned = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(start),
            constraint=lambda value: ops.clip(value, low, high),
            name=name,
        )

    @property
    def temperature(self) -> Tensor:
        """Divides the cosines."""
        value = ops.convert_to_tensor(self.learned.value)
        return ops.exp(value) if self.config.itc_log_temperature else value

    def call(self, outputs, inputs):
        losses = [
            momentum_contrast(outputs[cosines] / self.temperature, outputs[targets])
            for cosines, targets in (
                (schema.TEXT_COSINES, schema.TEXT_TARGETS),
                (schema.VIDEO_COSINES, schema.VIDEO_TARGETS),
            )
        ]
        return 0.5 * (ops.mean(losses[0]) + ops.mean(losses[1]))

    def count(self, outputs, inputs):
        return rows(outputs[schema.TEXT_COSINES])
