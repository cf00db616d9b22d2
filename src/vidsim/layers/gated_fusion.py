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
        sides: names of the sides that there are, in their order.

    Shapes:
        vision (B, V), text (B, D), or the one of them that ``sides`` names
        -> (B, output_size), all >= 0

    Reference: the published system's ConcatDenseSE; Hu et al. 2018 (arXiv:1709.01507).
    """

    def __init__(
        self,
        output_size: int,
        dropout: float = 0.2,
        se_ratio: int = 8,
        norm: bool = True,
        sides: tuple[str, ...] = ("vision", "text"),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.norms = None
        if norm:
            self.norms = [keras.layers.LayerNormalization(name=f"{side}_norm") for side in sides]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")
        self.project = keras.layers.Dense(output_size, activation="relu", name="project")
        self.squeeze_excite = SqueezeExcite(se_ratio, name="squeeze_excite")

    def build(self, first_shape: tuple, second_shape: tuple | None = None) -> None:
        """Make the weights for sides of shape (B, V) and (B, D)."""
        shapes = [first_shape] if second_shape is None else [first_shape, second_shape]
        for norm, shape in zip(self.norms or [], shapes, strict=bool(self.norms)):
            norm.build(shape)
        self.project.build((None, sum(shape[-1] for shape in shapes)))
        self.squeeze_excite.build((None, self.project.units))

    def call(
        self, first: Tensor, second: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """Fuse the sides that there are."""
        sides = [first] if second is None else [first, second]
        if self.norms is not None:
            sides = [norm(side) for norm, side in zip(self.norms, sides, strict=True)]
        x = ops.concatenate([ops.cast(side, sides[0].dtype) for side in sides], axis=-1)
        return self.squeeze_excite(self.project(self.dropout(x, training=training)))
