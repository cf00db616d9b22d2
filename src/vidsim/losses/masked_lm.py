"""Guessing hidden tokens of the title.

The mean is over the hidden tokens alone: the slots of a batch that hide nothing must not dilute it,
and a batch that hides nothing at all must not divide by zero. A function and no Keras loss class:
Keras' own reduction divides by the number of slots.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32


def masked_lm(labels: Tensor, logits: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy of the hidden tokens.

    Args:
        labels: Integer ids of the original tokens; what stands in a slot of weight 0 is not read.
        logits: Scores over the vocabulary, before the softmax.
        weights: >= 0, 0 where a slot is unused.

    Shapes:
        labels (B, P), logits (B, P, V), weights (B, P) -> scalar float32, 0 when all weights are 0

    When to use:
        Masked language modelling with the logits made at P chosen positions only.

    Reference:
        Devlin et al. 2018, BERT, arXiv:1810.04805, section 3.1.
    """
    total = ops.sum(masked_lm_of_texts(labels, logits, weights))
    return ops.divide_no_nan(total, ops.sum(ops.cast(weights, total.dtype)))


def masked_lm_of_texts(labels: Tensor, logits: Tensor, weights: Tensor) -> Tensor:
    """Weighted sum of the cross-entropy over the hidden tokens of each text.

    Args:
        labels: As of `masked_lm`.
        logits: As of `masked_lm`.
        weights: As of `masked_lm`.

    Shapes:
        labels (B, P), logits (B, P, V), weights (B, P) -> (B,) float32, 0 where all weights are 0

    When to use:
        A text is to count by its length. A sum over the batch too would grow with the batch size,
        and with it the loss's weight against others: take the mean over texts.

    Reference:
        As of `masked_lm`.
    """
    logits = at_least_float32(logits)
    weights = ops.cast(weights, logits.dtype)
    labels = ops.where(weights > 0, labels, 0)  # an id outside the vocabulary would be an error
    losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)  # (B, P)
    return ops.sum(weights * losses, axis=1)


def distilled_masked_lm(
    labels: Tensor, logits: Tensor, teacher_logits: Tensor, weights: Tensor, share: Tensor
) -> Tensor:
    """The same, where a teacher's distribution is part of what is to be said.

    A hidden word has other right answers than the one that stood there; the teacher names some.

    Args:
        labels: as for `masked_lm`.
        logits: as for `masked_lm`.
        teacher_logits: the teacher's scores; no gradient goes through them.
        weights: as for `masked_lm`.
        share: of the teacher's cross-entropy, 0 to 1; the rest is that of the labels.

    Shapes:
        labels (B, P), logits and teacher_logits (B, P, V), weights (B, P), share (B,) -> scalar
        float32

    When to use:
        Masked language modelling beside a momentum teacher.

    Reference:
        Li et al. 2021, ALBEF, arXiv:2107.07651, equation 7.
    """
    logits = at_least_float32(logits)
    said = ops.stop_gradient(ops.softmax(at_least_float32(teacher_logits), axis=-1))
    soft = -ops.sum(said * ops.log_softmax(logits, axis=-1), axis=-1)  # (B, P)
    weights = ops.cast(weights, logits.dtype)
    share = ops.cast(share, logits.dtype)[:, None]
    labels = ops.where(weights > 0, labels, 0)
    hard = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    losses = (1 - share) * hard + share * soft
    return ops.divide_no_nan(ops.sum(weights * losses), ops.sum(weights))
