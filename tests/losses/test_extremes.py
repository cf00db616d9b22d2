"""Values and gradients stay finite where inputs are as bad as they get, in every format."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.layers.nextvlad import NeXtVLAD
from vidsim.layers.numeric import l2_normalize
from vidsim.layers.pooling import masked_max, masked_mean
from vidsim.losses.asymmetric import asymmetric
from vidsim.losses.branch_kl import branch_kl
from vidsim.losses.contrastive import symmetric_info_nce
from vidsim.losses.masked_lm import masked_lm
from vidsim.losses.similarity import mean_squared_error, raw_kl, softmax_kl
from vidsim.losses.tag import binary_cross_entropy
from vidsim.models.pair_scorer import pair_cosine

FORMATS = ("float32", "bfloat16", "float16")
ONE, TWO = np.ones((1, 3)), np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
LOGITS = {
    "all +100": np.full((2, 3), 100.0),
    "all -100": np.full((2, 3), -100.0),
    "both": np.array([[100.0, -100.0, 0.0], [-100.0, 100.0, 0.0]]),
    "beyond float16's exponentials": np.array([[6e4, -6e4, 0.0], [0.0, 0.0, 0.0]]),
}
VECTORS = {
    "zero": np.zeros((4, 3)),
    "one zero": np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [-1.0, 0.0, 0.0]]),
    "identical": np.full((4, 3), 0.5),
    "opposite": np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]),
    "tiny": np.full((4, 3), 1e-7),
    "large": np.full((4, 3), 6e4),
}
RATINGS = {
    "one pair": ([0.5], [0.5]),
    "all equal": ([0.5] * 4, [0.3] * 4),
    "ends": ([0.0, 1.0, 0.0, 1.0], [1.0, -1.0, -1.0, 1.0]),
    "zeros": ([0.0, 0.0], [0.0, 0.0]),
}
MASKS = {"empty": np.zeros((2, 3), bool), "one": np.array([[False, True, False], [False] * 3])}
ASL = [(0.0, 1.0, 0.0), (1.0, 4.0, 0.05), (0.0, 0.5, 0.0), (2.0, 2.0, 0.5)]


@pytest.fixture
def assert_finite(gradients):
    """Value and gradients of a loss of tensors in a format; the value must also say something."""

    def check(loss, *inputs, dtype):
        value = loss(*(ops.cast(np.asarray(x, "float32"), dtype) for x in inputs))
        assert np.isfinite(ops.convert_to_numpy(ops.cast(value, "float32"))).all()
        for gradient in gradients(loss, *inputs, dtype=dtype):
            assert np.isfinite(gradient).all()

    return check


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("labels", [np.zeros((2, 3)), np.ones((2, 3)), TWO], ids=str)
@pytest.mark.parametrize("logits", LOGITS.values(), ids=LOGITS)
def test_tag_losses(assert_finite, logits, labels, dtype):
    assert_finite(lambda x: binary_cross_entropy(labels, x), logits, dtype=dtype)
    for gamma_pos, gamma_neg, clip in ASL:
        for detach in (False, True):
            assert_finite(
                lambda x, g=(gamma_pos, gamma_neg, clip), d=detach: asymmetric(
                    labels, x, *g, detach_weight=d
                ),
                logits,
                dtype=dtype,
            )


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("logits", LOGITS.values(), ids=LOGITS)
def test_branch_kl(assert_finite, logits, dtype):
    assert_finite(branch_kl, logits, np.stack([logits, -logits, 0 * logits]), dtype=dtype)
    assert_finite(branch_kl, logits[:1], logits[None, :1], dtype=dtype)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("logits", LOGITS.values(), ids=LOGITS)
@pytest.mark.parametrize("weights", [np.zeros((2, 1)), np.array([[1.0], [0.0]])], ids=str)
def test_masked_lm(assert_finite, logits, weights, dtype):
    labels = np.array([[1], [-7]])  # what stands in a slot of weight 0 is not read
    assert_finite(lambda x: masked_lm(labels, x, weights), logits[:, None, :], dtype=dtype)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("vectors", VECTORS.values(), ids=VECTORS)
def test_contrastive(assert_finite, vectors, dtype):
    for rows in (vectors, vectors[:1]):
        for mask in (None, np.zeros(len(rows), bool), np.arange(len(rows)) == 0):
            assert_finite(
                lambda a, b, m=mask: symmetric_info_nce(a, b, 0.07, m), rows, rows, dtype=dtype
            )


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("vectors", VECTORS.values(), ids=VECTORS)
def test_similarity_of_vectors(assert_finite, vectors, dtype):
    """From the embeddings on: a zero vector, two equal ones, one pair alone."""
    for loss in (mean_squared_error, raw_kl, lambda s, c: softmax_kl(s, c, 0.1)):
        for rows in (vectors, vectors[:2]):
            sim = np.linspace(0, 1, len(rows) // 2, dtype="float32")
            assert_finite(lambda x, f=loss, s=sim: f(s, pair_cosine(x)), rows, dtype=dtype)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(("sim", "cosine"), RATINGS.values(), ids=RATINGS)
def test_similarity_of_ratings(assert_finite, sim, cosine, dtype):
    for loss in (mean_squared_error, raw_kl, lambda s, c: softmax_kl(s, c, 0.01)):
        assert_finite(loss, sim, cosine, dtype=dtype)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("value", [0.0, 6e4, -6e4])
def test_pooling(assert_finite, mask, value, dtype):
    """Padding may be anything that is finite; a video without any step is a zero."""
    x = np.full((2, 3, 4), value)
    for pooling in (masked_mean, masked_max):
        assert_finite(lambda a, f=pooling: f(a, mask), x, dtype=dtype)
        found = ops.cast(pooling(ops.cast(np.asarray(x, "float32"), dtype), mask), "float32")
        assert (ops.convert_to_numpy(found)[1] == 0).all()


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("vectors", VECTORS.values(), ids=VECTORS)
def test_length_one(assert_finite, vectors, dtype):
    assert_finite(l2_normalize, vectors, dtype=dtype)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("value", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("seed", [0, 8, 12, 31])
def test_nextvlad(assert_finite, policy, mask, value, seed):
    """Identical frames, no frame at all, frames far beyond what a LayerNorm gives.

    With seeds 8, 12 and 31 a centre or the attention has next to nothing of the only frame.
    """
    keras.utils.set_random_seed(seed)
    layer = NeXtVLAD(4, 6, expansion=1, groups=2, dropout=0.0, dtype=policy)
    frames = np.full((2, 3, 8), value)
    layer.build(frames.shape)
    dtype = keras.DTypePolicy(policy).compute_dtype
    for training in (False, True):
        assert_finite(lambda x, t=training: layer(x, mask, training=t), frames, dtype=dtype)
