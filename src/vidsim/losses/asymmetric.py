"""The asymmetric loss: binary cross-entropy that looks away from what is easy.

A video has a few of ten thousand tags, so nearly all of a cross-entropy's gradient says "not this
one". A function and no Keras loss class: the objectives call it and weigh its mean themselves.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32


def asymmetric(
    labels: Tensor,
    logits: Tensor,
    gamma_pos: float = 0.0,
    gamma_neg: float = 1.0,
    clip: float = 0.0,
    *,
    detach_weight: bool = False,
) -> Tensor:
    """Asymmetric focal loss of every tag, summed over the tags of a video.

    With `p = sigmoid(logits)` and `q = max(p - clip, 0)`:
    `-sum_c [y (1 - p)^gamma_pos log p + (1 - y) q^gamma_neg log(1 - q)]`.

    All logarithms and powers come from the logits, so value and gradient stay finite where `p` is 0
    or 1 to the last bit. A gamma of 0 costs nothing and leaves the plain cross-entropy.

    Args:
        labels: Multi-hot tags, any dtype; values between 0 and 1 (soft labels) are allowed.
        logits: Scores before the sigmoid.
        gamma_pos: Focusing power of the tags present, >= 0; 0 weighs them all alike.
        gamma_neg: Focusing power of the tags absent, >= 0.
        clip: Probability shift, in [0, 1): an absent tag below it costs nothing. The paper's choice
            is 0.05, the published similarity system's 0.
        detach_weight: Whether the focusing weight is a constant to the gradient. The published
            similarity system lets gradients through; the paper's authors detach.

    Shapes:
        labels (B, C), logits (B, C) -> (B,) float32

    Raises:
        ValueError: When a gamma is negative or `clip` is outside [0, 1).

    When to use:
        Many tags of which few are present. (0, 1, 0), the default, is the published setting; the
        paper's own is (0, 4, 0.05) or (1, 4, 0.05).

    Reference:
        Ridnik et al. 2021, Asymmetric Loss For Multi-Label Classification, arXiv:2009.14119.
    """
    if gamma_pos < 0 or gamma_neg < 0 or not 0 <= clip < 1:
        raise ValueError(
            "gamma_pos and gamma_neg must be >= 0 and clip in [0, 1), "
            f"got {gamma_pos}, {gamma_neg} and {clip}"
        )
    logits = at_least_float32(logits)
    labels = ops.cast(labels, logits.dtype)
    log_p, log_rest = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)  # log p, log(1 - p)
    present = log_p
    if gamma_pos:
        present = present * _focus(log_rest, gamma_pos, detach_weight)
    log_q, absent = _shifted(logits, clip) if clip else (log_p, log_rest)
    if gamma_neg:
        absent = absent * _focus(log_q, gamma_neg, detach_weight)
    return -ops.sum(labels * present + (1.0 - labels) * absent, axis=-1)


def _focus(log_probability: Tensor, gamma: float, detach: bool) -> Tensor:
    """The probability to the power of gamma, from its logarithm: finite gradient at 0 too."""
    weight = ops.exp(gamma * log_probability)
    return ops.stop_gradient(weight) if detach else weight


def _shifted(logits: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """Return log q and log(1 - q) of the shifted probability q = max(p - clip, 0).

    Where q is 0, log q is given as 0: the loss multiplies it by log(1 - q), which is 0 there.
    """
    q = ops.relu(ops.sigmoid(logits) - clip)
    rest = ops.minimum(ops.sigmoid(-logits) + clip, 1.0)
    return ops.log(ops.where(q > 0, q, 1.0)), ops.log(rest)
