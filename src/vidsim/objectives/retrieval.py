"""Retrieval: a sentence finds its video among the batch's, a video its sentences."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.losses.contrastive import multi_positive_info_nce
from vidsim.objectives.configs import RetrievalLossConfig
from vidsim.objectives.objective import Objective

LOWEST, HIGHEST = 0.001, 0.5
"""Of the temperature, as in ALBEF (arXiv:2107.07651)."""


class RetrievalObjective(Objective):
    """Symmetric InfoNCE with a learned temperature; sentences of one video share it.

    What is learned is the logarithm of the temperature, put back into its bounds after every
    update. It stays behind in training, as every objective's weights.
    """

    needs = (schema.TEXT_EMBEDDING, schema.VIDEO_EMBEDDING)

    def __init__(self, config: RetrievalLossConfig) -> None:
        super().__init__(config.retrieval_weight, name="retrieval")
        self.log_temperature = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(math.log(config.retrieval_temperature)),
            constraint=lambda value: ops.clip(value, math.log(LOWEST), math.log(HIGHEST)),
            name="log_temperature",
        )

    def call(self, outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> Tensor:
        return multi_positive_info_nce(
            outputs[schema.TEXT_EMBEDDING],
            outputs[schema.VIDEO_EMBEDDING],
            inputs[schema.VIDEO_ROW],
            ops.exp(self.log_temperature),
        )
