"""Guessing hidden frames: which one of the batch it is, which class, or what its numbers are.

Every loss is a mean over the hidden frames, 0 where none is hidden. Functions and no Keras loss
classes: what is averaged over is a part of the positions, and one compares all frames of the batch.
"""

import numpy as np
from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32, l2_normalize

_LOWEST = float(np.finfo(np.float32).min)  # a logit that no softmax sees, finite


def masked_frame_nce(
    predicted: Tensor,
    places: Tensor,
    chosen: Tensor,
    frames: Tensor,
    real: Tensor,
    temperature: float = 1.0,
    normalize: bool = False,
) -> Tensor:
    """A prediction must find its own frame among all real frames of the batch.

    Mean over the chosen predictions of `-log softmax_j(p_i . x_j / T)` at the place of i, where j
    runs over every real frame of every video. Prediction and frame meet by their dot product; by
    their cosine if `normalize`.

    Args:
        predicted: p, what a head says of P frames.
        places: Of those frames among the N of the batch.
        chosen: Which of the P count: True where a frame was to be predicted.
        frames: x, as they were before any was hidden.
        real: True where a frame is no padding; others are not compared with, nor do they count.
        temperature: T, divides the products; no unit, > 0.
        normalize: Whether both sides are scaled to length 1.

    Shapes:
        predicted (P, D), places (P,), chosen (P,), frames (N, D), real (N,) -> scalar float32

    When to use:
        Frames without labels. The value grows with the log of the number of frames in the batch:
        compare it between runs of one batch size only. It makes P x N numbers.

    Reference:
        van den Oord et al. 2018, arXiv:1807.03748; as a task on frames: Li et al. 2020, HERO,
        arXiv:2005.00200, section 3.2 (MFM with NCE); without scaling as the winner of the CIKM 2021
        challenge has it (arXiv:2111.01677).
    """
    p, x = at_least_float32(predicted), at_least_float32(frames)
    if normalize:
        p, x = l2_normalize(p), l2_normalize(x)
    real = ops.cast(real, "bool")
    logits = ops.matmul(p, ops.transpose(x)) / temperature  # (P, N)
    logits = ops.where(real[None, :], logits, _LOWEST)
    count, of = ops.shape(logits)  # either may be 0, which take_along_axis does not accept
    own = ops.take(ops.reshape(logits, (-1,)), of * ops.arange(count) + places, axis=0)
    counts = ops.logical_and(ops.cast(chosen, "bool"), ops.take(real, places, axis=0))
    return _mean(ops.logsumexp(logits, axis=1) - own, counts)


def masked_frame_classes(targets: Tensor, logits: Tensor, chosen: Tensor) -> Tensor:
    """KL(target || softmax(logits)): summed over the classes, averaged over the chosen frames.

    The target's own entropy is in it, so that it is 0 where both agree. A class of target 0 adds
    nothing, and a frame whose targets are all 0 neither.

    Args:
        targets: Share of each class in each frame, >= 0.
        logits: Scores of the classes before the softmax.
        chosen: True for the frames to predict.

    Shapes:
        targets (..., C), logits (..., C), chosen (...,) -> scalar float32

    When to use:
        Frames or regions with what a classifier or detector says of them.

    Reference:
        Zhu and Yang 2020, ActBERT (CVPR 2020), section 3.3 (masked object classification); Chen et
        al. 2020, UNITER, arXiv:1909.11740, section 3.2 (MRC-kl).
    """
    targets, logits = at_least_float32(targets), at_least_float32(logits)
    there = targets > 0
    log_targets = ops.log(ops.where(there, targets, 1.0))
    terms = ops.where(there, targets * (log_targets - ops.log_softmax(logits, axis=-1)), 0.0)
    return _mean(ops.sum(terms, axis=-1), ops.cast(chosen, "bool"))


def masked_frame_regression(predicted: Tensor, frames: Tensor, chosen: Tensor) -> Tensor:
    """Squared error, averaged over the numbers of a frame and over the chosen frames.

    UNITER sums over the numbers: D times this.

    Args:
        predicted: What a head says of each frame.
        frames: As they were before any was hidden.
        chosen: True for the frames to predict.

    Shapes:
        predicted (..., D), frames (..., D), chosen (...,) -> scalar float32

    When to use:
        Frames whose numbers are of about the same scale; outliers count by their square.

    Reference:
        Chen et al. 2020, UNITER, arXiv:1909.11740, section 3.2 (MRFR); Tan and Bansal 2019, LXMERT,
        arXiv:1908.07490, section 3.1.2 (RoI-feature regression).
    """
    errors = ops.square(at_least_float32(predicted) - at_least_float32(frames))
    return _mean(ops.mean(errors, axis=-1), ops.cast(chosen, "bool"))


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Of the values that are chosen; what the others are, does not matter unless it is NaN."""
    chosen = ops.cast(chosen, values.dtype)
    return ops.divide_no_nan(ops.sum(chosen * values), ops.sum(chosen))
