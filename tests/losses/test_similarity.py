"""Similarity losses: by hand, against plain numpy, and their independence of the batch size."""

import numpy as np
import pytest
from keras import ops

from vidsim.losses.similarity import mean_squared_error, raw_kl, softmax_kl


def squared_error_reference(sim, cosine):
    return sum((y - s) ** 2 for y, s in zip(sim, cosine, strict=True)) / len(sim)


def raw_kl_reference(sim, cosine):
    total = 0.0
    for y, s in zip(sim, cosine, strict=True):
        y, s = min(max(y, 1e-7), 1.0), min(max(s, 1e-7), 1.0)
        total += y * np.log(y / s)
    return total / len(sim)


def softmax_kl_reference(sim, cosine, temperature=0.1):
    p = np.exp(sim / temperature) / np.sum(np.exp(sim / temperature))
    q = np.exp(cosine / temperature) / np.sum(np.exp(cosine / temperature))
    return np.sum(p * np.log(p / q))


def softmax_kl_at_a_tenth(sim, cosine):
    return softmax_kl(sim, cosine, 0.1)


LOSSES = [
    pytest.param(mean_squared_error, squared_error_reference, id="mse"),
    pytest.param(raw_kl, raw_kl_reference, id="raw_kl"),
    pytest.param(softmax_kl_at_a_tenth, softmax_kl_reference, id="softmax_kl"),
]


@pytest.fixture
def example():
    rng = np.random.default_rng(5)
    sim, cosine = rng.uniform(0, 1, 8), rng.uniform(-0.3, 0.95, 8)
    sim[0], sim[1], cosine[2] = 0.0, 1.0, -0.5
    return sim, cosine


def test_mean_squared_error_by_hand(as_array):
    """Differences 0.5 and -0.1: (0.25 + 0.01) / 2 = 0.13."""
    sim, cosine = np.array([0.75, 0.4], "float32"), np.array([0.25, 0.5], "float32")
    assert as_array(mean_squared_error(sim, cosine)) == pytest.approx(0.13, rel=1e-6)


def test_raw_kl_by_hand(as_array):
    """Rated 1/2: cosine 1/4 gives ln 2 / 2 = 0.34657, cosine 1 gives -0.34657.

    A negative cosine gives 0.5 ln(0.5e7) = 7.71247; a rating of 0 gives 1e-7 ln(1e-7 / s), nearly
    nothing.
    """
    for sim, cosine, expected in [
        (0.5, 0.25, 0.34657),
        (0.5, 1.0, -0.34657),
        (0.5, -0.3, 7.71247),
        (0.0, 0.7, 0.0),
    ]:
        value = raw_kl(np.array([sim], "float32"), np.array([cosine], "float32"))
        assert as_array(value) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("weight", [0.1, 0.5])
def test_where_a_squared_error_and_raw_kl_are_least(weight):
    """At (y + sqrt(y^2 + 2 k y)) / 2, found here among 10,001 cosines."""
    cosines = np.linspace(0, 1, 10001)
    for sim in (0.05, 0.2, 0.5):
        total = [
            squared_error_reference([sim], [s]) + weight * raw_kl_reference([sim], [s])
            for s in cosines
        ]
        expected = (sim + (sim**2 + 2 * weight * sim) ** 0.5) / 2
        assert cosines[np.argmin(total)] == pytest.approx(expected, abs=1e-4)
    best = (0.2 + (0.04 + 0.4 * weight) ** 0.5) / 2
    below, least, above = (
        float(mean_squared_error([0.2], [s]) + weight * raw_kl([0.2], [s]))
        for s in (best - 0.02, best, best + 0.02)
    )
    assert least < min(below, above)


def test_softmax_kl_by_hand(as_array):
    """T = 1/2, ratings 0 and ln(3)/2: p = (1/4, 3/4). Equal cosines: q = (1/2, 1/2).

    KL = 1/4 ln(1/2) + 3/4 ln(3/2) = 0.13081.
    """
    sim, cosine = np.array([0, np.log(3) / 2], "float32"), np.array([0.3, 0.3], "float32")
    assert as_array(softmax_kl(sim, cosine, 0.5)) == pytest.approx(0.13081, abs=1e-5)
    assert as_array(softmax_kl(sim, sim - 0.5, 0.5)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("loss", "reference"), LOSSES)
def test_value_equals_the_reference(loss, reference, example, as_array):
    assert as_array(loss(*example)) == pytest.approx(reference(*example), rel=1e-6)


@pytest.mark.parametrize(("loss", "reference"), LOSSES)
def test_gradient_equals_the_reference(loss, reference, example, gradients, central_differences):
    sim, cosine = example
    (found,) = gradients(lambda s: loss(sim, s), cosine)
    expected = central_differences(lambda s: reference(sim, s), cosine)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)
    assert np.abs(found).max() > 1e-3


@pytest.mark.parametrize(("loss", "reference"), LOSSES)
def test_a_batch_repeated_has_the_same_value(loss, reference, example, as_array):
    sim, cosine = (np.tile(x, 16) for x in example)
    assert as_array(loss(sim, cosine)) == pytest.approx(reference(*example), rel=1e-6)


@pytest.mark.parametrize(("loss", "reference"), LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_extreme_cosines_are_finite(loss, reference, dtype, gradients, as_array):
    sim = np.array([0, 1, 0, 1, 0.5], "float32")
    cosine = np.array([1, -1, 0, 0, 1], "float32")
    value = as_array(loss(ops.cast(sim, dtype), ops.cast(cosine, dtype)))
    assert value == pytest.approx(reference(sim, cosine), rel=1e-5)
    (found,) = gradients(lambda s: loss(sim, s), cosine, dtype=dtype)
    assert np.isfinite(found).all()


def test_softmax_kl_survives_a_tiny_temperature(gradients, as_array):
    """At T = 0.001 a naive softmax takes exp(1000). The top differs, by (1 - 0) / T: KL 1000."""
    sim, cosine = np.array([1, 0], "float32"), np.array([0, 1], "float32")
    assert as_array(softmax_kl(sim, cosine, 1e-3)) == pytest.approx(1000)
    (found,) = gradients(lambda s: softmax_kl(sim, s, 1e-3), cosine, dtype="float32")
    np.testing.assert_allclose(found, [-1000, 1000])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_averaged_in_float32(dtype, as_array):
    """4,096 squared errors of 0.25: a bfloat16 sum of them would stop at 64."""
    value = mean_squared_error(ops.zeros(4096, dtype), ops.full((4096,), 0.5, dtype))
    assert as_array(value) == pytest.approx(0.25, rel=1e-6)
