"""What a video's sides are made of, past a model's embedding, for heads that read it too."""

from collections.abc import Mapping

import keras
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.numeric import Tensor, at_least_float32
from vidsim.layers.pooling import masked_mean
from vidsim.models.backbone import Backbone


def side_means(
    outputs: Mapping[str, Tensor], inputs: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """What the sides of B rows are made of: (B, V) of the text's last states, (B, F) of the frames.

    A family that pools its words by itself has their pooled states in the place of the first.
    Zeros where a row has no such side.

    Args:
        outputs: of a backbone.
        inputs: what it was given.
    """
    frames = masked_mean(at_least_float32(inputs[schema.FRAMES]), inputs[schema.FRAME_MASK])
    if schema.HIDDEN_STATES not in outputs:
        some = ops.any(ops.cast(inputs[schema.TOKEN_MASK], "bool"), axis=1, keepdims=True)
        return ops.where(some, at_least_float32(outputs[schema.WORD_VECTOR]), 0.0), frames
    states = at_least_float32(outputs[schema.HIDDEN_STATES])
    return masked_mean(states, inputs[schema.TOKEN_MASK]), frames


def means_widths(backbone: Backbone, flag: str) -> tuple[int, int]:
    """(V, F) of `side_means`.

    Args:
        backbone: of any family.
        flag: what asks for them, as "--tower-skip".

    Raises:
        VidsimError: the family does not give the states of its words, or there are no frames.
    """
    found, frames = backbone.output_widths, backbone.spec.frame_size
    words = found.get(schema.HIDDEN_STATES, found.get(schema.WORD_VECTOR))
    if words is None or frames is None:
        raise VidsimError(
            f"{flag}: the family {backbone.config.family} gives neither states nor a "
            f"vector of words, or there are no frames; give {flag.replace('--', '--no-', 1)}"
        )
    return words, frames


def beside(embedding: Tensor, share: Tensor, *means: Tensor) -> Tensor:
    """(B, D + ...): an embedding, weighted, and means beside it, all at one scale.

    Args:
        embedding: (B, D).
        share: (), a learned number that starts at 0: what a model that starts at random makes of a
            video is noise to what reads it.
        means: (B, ...) each, of `side_means`.
    """
    return ops.concatenate([share * _scaled(embedding), *map(_scaled, means)], axis=-1)


def hidden_layers(hidden: int, dropout: float) -> list[keras.layers.Layer]:
    """LayerNorm, dropout, Dense with GELU, dropout: what comes before a head's last layer.

    Args:
        hidden: numbers that come out.
        dropout: after Dense; half as much before it.
    """
    return [
        keras.layers.LayerNormalization(name="norm"),
        keras.layers.Dropout(dropout / 2, name="dropout"),
        keras.layers.Dense(hidden, activation="gelu", name="hidden"),
        keras.layers.Dropout(dropout, name="hidden_dropout"),
    ]


def _scaled(x: Tensor) -> Tensor:
    """Numbers of mean 0 and variance 1 in each row, so that neither part outweighs the other."""
    x = x - ops.mean(x, axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-6)
