"""Whether two things belong together: one question with two answers.

A function and no Keras loss class: the objectives take the mean, and know what it is over.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32

MATCHES = 1
"""The column of the logits that says that they do."""


def match_loss(labels: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropy of the softmax over "does not match" (column 0) and "matches" (column 1).

    The probability of a match is `sigmoid(z_1 - z_0)`, so that a published head with one logit and
    binary cross-entropy is the same model, with `z = (0, its logit)`; one whose first column says
    "matches" is the same with its columns exchanged.

    Args:
        labels: True or 1 where they belong together.
        logits: Scores before the softmax.

    Shapes:
        labels (B,) boolean or integer, logits (B, 2) -> (B,) float32

    When to use:
        Text and streams of one video against those of two: next sentence prediction, video-text and
        image-text matching.

    Reference:
        Devlin et al. 2018, BERT, arXiv:1810.04805, section 3.1, task 2; Li et al. 2021, ALBEF,
        arXiv:2107.07651, equation 5.
    """
    log_p = ops.log_softmax(at_least_float32(logits), axis=-1)
    return -ops.where(ops.cast(labels, "bool"), log_p[:, MATCHES], log_p[:, 1 - MATCHES])
