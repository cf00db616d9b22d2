"""The branches of a mixture kept in touch with what they make together.

Without it one branch can do all the work and the others drift. A function and no Keras loss class:
both arguments are predictions, and gradients go through both.
"""

import math

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32


def branch_kl(
    mixed: Tensor, branches: Tensor, temperature: float = 2.0, eps: float = 1e-8
) -> Tensor:
    """Mean over the batch of `sum_k KL(softmax(z / T) || softmax(z_k / T))`.

    Gradients go through both sides, and there is no factor T^2, as published. `eps` is added to
    both probabilities inside the logarithms, so one class costs at most `log(1 / eps)`, about 18.

    Args:
        mixed: z, tag logits of the mixture.
        branches: z_k, tag logits of each branch.
        temperature: T, divides the logits; no unit, > 0.
        eps: Smallest probability that is told from 0; 0 gives the exact divergence.

    Shapes:
        mixed (B, C), branches (K, B, C) -> scalar float32

    When to use:
        As a small regulariser of a mixture of branches. The softmax treats the tags as exclusive,
        which multi-label tags are not; it compares their order, not their probabilities.

    Reference:
        Hinton et al. 2015, Distilling the Knowledge in a Neural Network, arXiv:1503.02531 (the
        temperature); the form is the published system's.
    """
    log_p = ops.log_softmax(at_least_float32(mixed) / temperature)[None]  # (1, B, C)
    log_q = ops.log_softmax(at_least_float32(branches) / temperature)  # (K, B, C)
    ratio = _add_probability(log_p, eps) - _add_probability(log_q, eps)
    divergence = ops.sum(ops.exp(log_p) * ratio, axis=-1)  # (K, B)
    return ops.mean(ops.sum(divergence, axis=0))


def _add_probability(log_probability: Tensor, eps: float) -> Tensor:
    return ops.logaddexp(log_probability, math.log(eps)) if eps else log_probability
