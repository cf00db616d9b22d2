"""Negatives that are hard to tell from what is right, drawn from the batch."""

import keras
from keras import ops

from vidsim.layers.numeric import Tensor
from vidsim.layers.replicas import Replicas
from vidsim.losses.momentum_contrast import draw_by_noise


def draw_negatives(
    logits: Tensor, seeds: keras.random.SeedGenerator, replicas: Replicas, training: bool | None
) -> Tensor:
    """One row of the whole batch for each of this replica's rows.

    The noise is made for the whole batch, so that the draws are the same on one device and on
    several.

    Args:
        logits: of `negative_logits`.
        seeds: of the draws; moved by one draw.
        replicas: that share the batch.
        training: whether to draw by the softmax; else the likeliest row is taken.

    Shapes: logits (B, N), N rows in the whole batch -> (B,) int32
    """
    if not training:
        return ops.cast(ops.argmax(logits, axis=-1), "int32")
    rows, count = ops.shape(logits)[0], ops.shape(logits)[1]
    uniform = keras.random.uniform((count, count), seed=seeds)
    own = ops.take(uniform, replicas.first_row(rows) + ops.arange(rows), axis=0)
    return draw_by_noise(logits, own)


def match_labels(related: Tensor) -> tuple[Tensor, Tensor]:
    """Labels and weights of B rows, of B texts with wrong videos and of B wrong texts.

    Args:
        related: (B, N) True where a row of the whole batch is right for a row; a row to which all
            are has no negative, and weights of 0 for its two.

    Returns:
        labels (3B,) float32, 1 for the first B; weights (3B,) float32.
    """
    has = ops.cast(ops.any(ops.logical_not(related), axis=1), "float32")  # (B,)
    one = ops.ones_like(has)
    zero = ops.zeros_like(has)
    return ops.concatenate([one, zero, zero]), ops.concatenate([one, has, has])
