"""A gate that lets a fused vector weigh its own features.

After text and frames are fused, not every feature is of use for every video; the gate turns some of
them down at the price of two narrow matrices.
"""

from typing import Any

import keras

from vidsim.layers.numeric import Tensor


@keras.saving.register_keras_serializable("vidsim")
class SqueezeExcite(keras.layers.Layer):
    """Multiply features by a gate computed from them: `h * sigmoid(W2 relu(W1 h))`.

    Shapes: (B, D) -> (B, D); `W1` is (D, D / ratio), `W2` is (D / ratio, D), both without bias.

    Args:
        ratio: Width of the input over width of the hidden layer; divides D.
        **kwargs: As for every Keras layer (`name`, `dtype`, ...).

    Raises:
        ValueError: When `ratio` does not divide D.

    Reference:
        Hu et al. 2018, Squeeze-and-Excitation Networks, arXiv:1709.01507.
    """

    def __init__(self, ratio: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the two matrices for inputs of shape (B, D)."""
        width = input_shape[-1]
        if width is None or self.ratio < 1 or width % self.ratio:
            raise ValueError(f"ratio {self.ratio} does not divide the width {width} of the input")
        self.squeeze = self._dense(width // self.ratio, "relu", "squeeze")
        self.squeeze.build(input_shape)
        self.excite = self._dense(width, "sigmoid", "excite")
        self.excite.build((*input_shape[:-1], width // self.ratio))

    def _dense(self, units: int, activation: str, name: str) -> keras.layers.Dense:
        return keras.layers.Dense(
            units,
            activation=activation,
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Gate `inputs` (B, D) by itself."""
        return inputs * self.excite(self.squeeze(inputs))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again."""
        return {**super().get_config(), "ratio": self.ratio}
