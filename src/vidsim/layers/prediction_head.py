"""What says of a token's state what was hidden there: Dense, GELU, LayerNorm, Dense."""

from typing import Any

import keras
from keras import ops

from vidsim.layers.activations import ACTIVATIONS
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor


class PredictionHead(keras.layers.Layer):
    """BERT's head of masked words, with a decoder of its own. Built at once, always in float32.

    Args:
        width: of the states, W.
        size: numbers or classes to predict, N.
        layer_norm_eps: epsilon of the LayerNorm.

    Shapes: states (..., W) -> (..., N) float32

    Reference: Devlin et al. 2018 (arXiv:1810.04805), section 3.1.
    """

    def __init__(self, width: int, size: int, layer_norm_eps: float, **kwargs: Any):
        super().__init__(dtype="float32", autocast=False, **kwargs)
        self.transform = dense(width, "transform", activation=ACTIVATIONS["gelu"], dtype="float32")
        self.norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_eps, name="norm", dtype="float32"
        )
        self.decoder = dense(size, "decoder", dtype="float32")
        for layer in (self.transform, self.norm, self.decoder):
            layer.build((None, None, width))
        self.built = True

    def call(self, states: Tensor) -> Tensor:
        """Predict from states."""
        return self.decoder(self.norm(self.transform(ops.cast(states, "float32"))))
