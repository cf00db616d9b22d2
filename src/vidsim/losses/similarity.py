"""A cosine against a human rating.

Every loss here is a mean over the pairs or, for `softmax_kl`, as insensitive to their number as a
mean is: a weight found at one batch size holds at another. Functions and no Keras loss classes: the
objectives add several of them with their own weights, and the batch is the distribution in one.
"""

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32

_SMALLEST = 1e-7  # lower end of what `raw_kl` takes for a probability, as published


def mean_squared_error(sim: Tensor, cosine: Tensor) -> Tensor:
    """Mean over the pairs of `(sim - cosine)^2`.

    Args:
        sim: Ratings, in [0, 1].
        cosine: Cosines of the two embeddings, in [-1, 1].

    Shapes:
        sim (B,), cosine (B,) -> scalar float32

    When to use:
        Ratings on the scale of a cosine. The published system takes the sum over the pairs; a
        weight of B on this mean is the same.

    Reference:
        Reimers and Gurevych 2019, Sentence-BERT, arXiv:1908.10084, section 3 (regression).
    """
    sim, cosine = at_least_float32(sim), at_least_float32(cosine)
    return ops.mean(ops.square(sim - cosine))


def raw_kl(sim: Tensor, cosine: Tensor) -> Tensor:
    """Mean over the pairs of `y log(y / s)`, both clipped to [1e-7, 1]; as published.

    Not a divergence, for neither side sums to 1: it is negative where the cosine is above the
    rating, least at cosine 1 whatever the rating, steep near 0 and without gradient below 0. Beside
    a squared error, with weight k, it moves the best cosine of a pair rated y from y to
    `(y + sqrt(y^2 + 2 k y)) / 2`: the order of ratings stays, and low ones are spread apart.

    Args:
        sim: Ratings, in [0, 1].
        cosine: Cosines of the two embeddings, in [-1, 1].

    Shapes:
        sim (B,), cosine (B,) -> scalar float32

    When to use:
        Beside a squared error, where ratings crowd at the low end; it measured better than
        `softmax_kl` and than none (README). The published system takes the sum over the pairs: a
        weight of B on this mean is the same.

    Reference:
        Kullback and Leibler 1951 for the formula; its use on raw values is the published system's.
    """
    sim = ops.clip(at_least_float32(sim), _SMALLEST, 1.0)
    cosine = ops.clip(at_least_float32(cosine), _SMALLEST, 1.0)
    return ops.mean(sim * (ops.log(sim) - ops.log(cosine)))


def softmax_kl(sim: Tensor, cosine: Tensor, temperature: float) -> Tensor:
    """KL(softmax(sim / T) || softmax(cosine / T)), both over the pairs of the batch.

    Zero when cosines and ratings differ by a constant only, so it is about order and spacing, as
    Spearman is. No factor for the batch: the probabilities sum to 1, so the divergence is a
    weighted mean over the pairs already, and a batch repeated twice has the same value. For small
    differences it is half the variance of `(sim - cosine) / T`: compared with a squared error, its
    weight goes as `1 / (2 T^2)`.

    Args:
        sim: Ratings, in [0, 1].
        cosine: Cosines of the two embeddings, in [-1, 1].
        temperature: T, on the scale of the ratings, > 0. A small T looks at the top
            of the batch only.

    Shapes:
        sim (B,), cosine (B,) -> scalar float32

    When to use:
        When ratings and cosines need not be on one scale, with batches large enough to hold the
        range of ratings.

    Reference:
        Cao et al. 2007, Learning to Rank: From Pairwise Approach to Listwise Approach (ListNet).
    """
    log_p = ops.log_softmax(at_least_float32(sim) / temperature)
    log_q = ops.log_softmax(at_least_float32(cosine) / temperature)
    return ops.sum(ops.exp(log_p) * (log_p - log_q))
