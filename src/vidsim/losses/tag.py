"""Tags as C yes-or-no questions.

A function and no Keras loss class: the objectives call it and weigh its mean themselves, so a class
would add nothing but a second way to say the reduction.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32


def binary_cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """Binary cross-entropy of every tag, summed over the tags of a video.

    `sum_c [-y log p - (1 - y) log(1 - p)]` with `p = sigmoid(logits)`, computed from the logits, so
    that neither value nor gradient saturates.

    Args:
        labels: Multi-hot tags, any dtype; values between 0 and 1 (soft labels) are allowed.
        logits: Scores before the sigmoid.

    Shapes:
        labels (B, C), logits (B, C) -> (B,) float32

    When to use:
        Multi-label tags without much imbalance, or as the plain reference for `asymmetric`. The sum
        over tags (not the mean) keeps the gradient of a tag independent of how many tags there are.

    Reference:
        Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.2.
    """
    logits = at_least_float32(logits)
    labels = ops.cast(labels, logits.dtype)
    return ops.sum(ops.binary_crossentropy(labels, logits, from_logits=True), axis=-1)
