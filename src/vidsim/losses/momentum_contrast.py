"""Contrast with the keys of a slowly moving teacher, and what it gives to be learned from.

Text and video each look among K keys, the teacher's vectors of the other kind: those of the batch
first, then those of a queue of former batches. What the teacher itself finds is part of the target,
since a caption may fit other videos than its own.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, softmax

_HIDDEN = -1e9  # a logit that no softmax sees


def shared_targets(rows: Tensor, columns: Tensor) -> Tensor:
    """Equal shares for all columns of a row's own group.

    Args:
        rows: group of each row; it is among the columns'.
        columns: group of each key.

    Shapes: rows (B,), columns (K,) integer -> (B, K) float32, each row adds up to 1
    """
    same = ops.cast(ops.equal(rows[:, None], columns[None, :]), "float32")
    return same / ops.sum(same, axis=1, keepdims=True)


def distilled_targets(hard: Tensor, teacher_logits: Tensor, share: Tensor) -> Tensor:
    """The known answer and the teacher's softmax, by shares; no gradient goes through it.

    Args:
        hard: what is known, each row adds up to 1.
        teacher_logits: scaled similarities by the teacher.
        share: of the teacher, 0 to 1; ALBEF's alpha.

    Shapes: hard (B, K), teacher_logits (B, K), share () -> (B, K) float32
    """
    return ops.stop_gradient(share * softmax(teacher_logits) + (1 - share) * hard)


def momentum_contrast(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy between a distribution over keys and the softmax of scaled similarities.

    Args:
        logits: cosines over temperature.
        targets: each row adds up to 1.

    Shapes: logits (B, K), targets (B, K) -> (B,) float32

    When to use:
        Once for each direction, the two then averaged; where batches are too small for their own
        negatives.

    Reference:
        Li et al. 2021, ALBEF, arXiv:2107.07651, equations 2 and 6; He et al. 2020, MoCo,
        arXiv:1911.05722.
    """
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


def negative_logits(logits: Tensor, related: Tensor) -> Tensor:
    """The logits by which a hard negative is drawn: softmax of these is zero where it must be.

    Drawn in this form, a row whose probabilities are all below what a float holds is no special
    case.

    Args:
        logits: cosines over temperature, of rows with the batch's own keys.
        related: True where a column is right for a row, such as its own.

    Shapes: logits (B, N), related (B, N) bool -> (B, N) float32, without gradient
    """
    return ops.stop_gradient(ops.where(ops.cast(related, "bool"), _HIDDEN, logits))


def draw_by_noise(logits: Tensor, uniform: Tensor) -> Tensor:
    """One column a row, with the probabilities of the logits' softmax.

    Args:
        logits: of `negative_logits`.
        uniform: independent draws from (0, 1).

    Shapes: logits (B, N), uniform (B, N) -> (B,) int32

    Reference: Gumbel 1954; the largest of logits with Gumbel noise is drawn by their softmax.
    """
    noise = -ops.log(-ops.log(ops.clip(uniform, 1e-20, 1 - 1e-7)))
    return ops.cast(ops.argmax(logits + noise, axis=-1), "int32")
