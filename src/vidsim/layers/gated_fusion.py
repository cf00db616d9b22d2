"""Text and frames of one branch to an embedding: dense, then channels weighted by SE."""

from typing import Any

import keras
from keras import ops

from vidsim.layers.numeric import Tensor
from vidsim.layers.squeeze_excite import SqueezeExcite


class GatedFusion(keras.layers.Layer):
    """LayerNorm of each side, concatenate, dropout, Dense with ReLU, squeeze-and-excitation.

    Without the two LayerNorms, which the published model lacks, the side with the larger numbers
    has its way until training has undone that: at the start it is the title, whatever it says.

    Args:
        output_size: size of the embedding.
        dropout: of the concatenated input.
        se_ratio: reduction of the SE gate.
        norm: the two LayerNorms; False is as published.

    Shapes:
        vision (B, V), text (B, D), one of them may be None -> (B, output_size), all >= 0

    Reference: the published system's ConcatDenseSE; Hu et al. 2018 (arXiv:1709.01507).
    """

    def __init__(
        self,
        output_size: int,
        dropout: float = 0.2,
        se_ratio: int = 8,
        norm: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.norms = None
        if norm:
            names = ("vision_norm", "text_norm")
            self.norms = [keras.layers.LayerNormalization(name=name) for name in names]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.project = keras.layers.Dense(output_size, activation="relu", name="project")
        self.squeeze_excite = SqueezeExcite(se_ratio, name="squeeze_excite")

    def call(
        self, vision: Tensor | None, text: Tensor | None, training: bool | None = None
    ) -> Tensor:
        """Fuse both sides, or pass on the one that there is."""
        sides = [vision, text]
        if self.norms is not None:
            pairs = zip(self.norms, sides, strict=True)
            sides = [None if side is None else norm(side) for norm, side in pairs]
        given = [side for side in sides if side is not None]
        x = ops.concatenate([ops.cast(side, given[0].dtype) for side in given], axis=-1)
        return self.squeeze_excite(self.project(self.dropout(x, training=training)))
