"""The dense layer of the encoders: BERT's initialisation."""

import keras

INITIALIZER_STDDEV = 0.02


def dense(width: int, name: str, **kwargs) -> keras.layers.Dense:
    """A Dense layer with BERT's initialisation (truncated normal, 0.02)."""
    return keras.layers.Dense(
        width,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=INITIALIZER_STDDEV),
        name=name,
        **kwargs,
    )
