"""The dense layer of the encoders: BERT's initialisation, and one flat matrix product."""

import keras
from keras import ops

INITIALIZER_STDDEV = 0.02


class FlatDense(keras.layers.Dense):
    """A Dense layer that sees its input as one matrix, whatever axes stand before the last.

    Matrix product, bias and activation then follow each other directly, and TensorFlow makes one
    kernel of them where no gradient is asked for; Keras' own has reshapes between them.

    Shapes: (..., D) -> (..., units)
    """

    def call(self, inputs, training=None):
        flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
        outputs = super().call(flat, training=training)
        return ops.reshape(outputs, (*ops.shape(inputs)[:-1], self.units))


def dense(width: int, name: str, **kwargs) -> FlatDense:
    """A FlatDense layer with BERT's initialisation (truncated normal, 0.02)."""
    return FlatDense(
        width,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=INITIALIZER_STDDEV),
        name=name,
        **kwargs,
    )
