"""Text and frames of one video belong together, those of two videos do not.

Applied before fusion, it gives both sides a reason to agree when no rating says so. A function and
no Keras loss class: a Keras loss knows labels and predictions, and here both arguments are neither.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, l2_normalize

_HIDDEN = -1e9  # a logit that no softmax sees, finite so that its gradient is


def symmetric_info_nce(
    a: Tensor, b: Tensor, temperature: float = 0.07, mask: Tensor | None = None
) -> Tensor:
    """In-batch contrastive loss, mean of the directions a -> b and b -> a and over the rows.

    Row i of `a` must find row i of `b` among all rows of `b`, by cosine over temperature, and the
    other way round. The value is between 0 and about `log B + 2 / temperature`; vectors that say
    nothing give `log B`.

    Args:
        a: Vectors of one view, of any length; a zero vector has cosine 0 with everything.
        b: Vectors of the other view.
        temperature: Divides the cosines; no unit, > 0.
        mask: True for the rows that take part, None for all. A row left out is neither anchor nor
            negative (a video without frames has no vision vector) and gets no gradient.

    Shapes:
        a (B, D), b (B, D), mask (B,) -> scalar float32, 0 when no row takes part

    When to use:
        Two views of one thing and batches of some dozens or more. The value grows with the log of
        the number of negatives: compare it between runs of one batch size only.

    Reference:
        van den Oord et al. 2018, Contrastive Predictive Coding, arXiv:1807.03748; Radford et al.
        2021, CLIP, arXiv:2103.00020 (the symmetric form).
    """
    logits = ops.matmul(l2_normalize(a), ops.transpose(l2_normalize(b))) / temperature  # (B, B)
    takes_part = ops.ones_like(logits[0], dtype="bool") if mask is None else ops.cast(mask, "bool")
    a_to_b = ops.logsumexp(ops.where(takes_part[None, :], logits, _HIDDEN), axis=1)
    b_to_a = ops.logsumexp(ops.where(takes_part[:, None], logits, _HIDDEN), axis=0)
    rows = 0.5 * (a_to_b + b_to_a) - ops.diagonal(logits)  # (B,)
    weights = ops.cast(takes_part, rows.dtype)
    return ops.divide_no_nan(ops.sum(weights * rows), ops.sum(weights))
