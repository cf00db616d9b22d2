"""One class a video, of C classes that exclude each other.

A function and no Keras loss class, as the tag loss is: the objective takes the mean.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32


def softmax_cross_entropy(labels: Tensor, logits: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the softmax against a class, or against that class and a little of all.

    `-(1 - s) log p_y - s / C sum_c log p_c` with `p = softmax(logits)` and s the smoothing,
    computed from the logits, so that neither value nor gradient saturates.

    Args:
        labels: Class numbers from 0 to C - 1.
        logits: Scores before the softmax.
        smoothing: Share of the target that is spread evenly over all classes, its own included.

    Shapes:
        labels (...,) integer, logits (..., C) -> (...,) float32

    When to use:
        Each video has exactly one class. For tags, of which a video has any number, see
        `binary_cross_entropy`.

    Reference:
        Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.4; smoothing: Szegedy et
        al. 2016, arXiv:1512.00567, section 7.
    """
    log_p = ops.log_softmax(at_least_float32(logits), axis=-1)
    own = ops.take_along_axis(log_p, ops.cast(labels, "int32")[..., None], axis=-1)[..., 0]
    if not smoothing:
        return -own
    return -(1 - smoothing) * own - smoothing * ops.mean(log_p, axis=-1)
