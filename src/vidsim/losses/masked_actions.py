"""Guessing what was done in hidden actions.

A function and no Keras loss class: the mean is over the hidden actions whose class is known.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32


def masked_action_classes(targets: Tensor, logits: Tensor, chosen: Tensor) -> Tensor:
    """Cross-entropy of the classes, averaged over the chosen actions that have one.

    Targets are scaled to add up to 1: an action of several classes is each of them in equal parts.
    One of no class is left out.

    Args:
        targets: 1 for each of an action's classes, or its share, >= 0.
        logits: Scores of the classes before the softmax.
        chosen: True for the actions to predict.

    Shapes:
        targets (B, A, C), or (B, 1, C) for all actions of a video, logits (B, A, C),
        chosen (B, A) -> scalar float32, 0 where none is chosen

    When to use:
        Clips of a video with the class of what is done in them, or with the video's tags.

    Reference:
        Zhu and Yang 2020, ActBERT (CVPR 2020), section 3.3 (masked action classification).
    """
    targets, logits = at_least_float32(targets), at_least_float32(logits)
    total = ops.sum(targets, axis=-1, keepdims=True)
    shares = ops.divide_no_nan(targets, total)
    losses = -ops.sum(shares * ops.log_softmax(logits, axis=-1), axis=-1)  # (B, A)
    known = ops.logical_and(ops.cast(chosen, "bool"), total[..., 0] > 0)
    return ops.divide_no_nan(
        ops.sum(ops.where(known, losses, 0.0)), ops.sum(ops.cast(known, losses.dtype))
    )
