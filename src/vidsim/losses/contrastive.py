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


def multi_positive_info_nce(a: Tensor, b: Tensor, groups: Tensor, temperature: Tensor) -> Tensor:
    """Symmetric InfoNCE where several rows may belong together; mean of directions and rows.

    Row i of `a` belongs to every row of `b` of its group, and the other way round. Its target is
    not one row but the group: 1 / n on each of the group's n rows, 0 on others; the row's loss is
    the cross-entropy between that and the softmax of its cosines over temperature. With groups of
    one it is `symmetric_info_nce`. A group of n adds at least `log n` to each of its rows.

    Args:
        a: Vectors of one view, of any length; a zero vector has cosine 0 with everything.
        b: Vectors of the other view.
        groups: Equal numbers for the rows that belong together.
        temperature: Divides the cosines; no unit, > 0. A scalar, which may be learned.

    Shapes:
        a (B, D), b (B, D), groups (B,) integer, temperature () -> scalar float32

    When to use:
        Sentences and videos where a batch may hold two sentences of one video: taken as a negative,
        the video would be pushed away from a sentence that is right for it.

    Reference:
        Khosla et al. 2020, Supervised Contrastive Learning, arXiv:2004.11362 (the mean over the
        positives outside of the logarithm, L_out); Li et al. 2021, ALBEF, arXiv:2107.07651.
    """
    a, b = l2_normalize(a), l2_normalize(b)
    logits = ops.matmul(a, ops.transpose(b)) / ops.cast(temperature, a.dtype)  # (B, B)
    same = ops.cast(ops.equal(groups[:, None], groups[None, :]), logits.dtype)  # symmetric
    targets = same / ops.sum(same, axis=1, keepdims=True)
    a_to_b = ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1)  # (B,)
    b_to_a = ops.sum(targets * ops.log_softmax(ops.transpose(logits), axis=1), axis=1)
    return -0.5 * ops.mean(a_to_b + b_to_a)
