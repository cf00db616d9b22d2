"""Branch KL: by hand, against plain loops, and for branches that disagree completely."""

import numpy as np
import pytest
from keras import ops

from vidsim.losses.branch_kl import branch_kl


def softmax(x):
    return np.exp(x) / np.sum(np.exp(x))


def reference(mixed, branches, temperature=2.0, eps=1e-8):
    total = 0.0
    for branch in branches:
        for z, z_k in zip(mixed, branch, strict=True):
            p, q = softmax(z / temperature), softmax(z_k / temperature)
            total += np.sum(p * np.log((p + eps) / (q + eps)))
    return total / len(mixed)


@pytest.fixture
def example():
    rng = np.random.default_rng(6)
    return rng.normal(0, 2, (4, 5)), rng.normal(0, 2, (3, 4, 5))


def test_by_hand(as_array):
    """T = 2 and mixed (0, 2 ln 3): p = (1/4, 3/4).

    Each branch of equal logits costs 1/4 ln(1/2) + 3/4 ln(3/2) = 0.13081, a branch like the mixture
    nothing. Two of the former and one of the latter: 0.26162, whatever the batch size.
    """
    mixed = np.tile([0, 2 * np.log(3)], (5, 1)).astype("float32")
    branches = np.stack([np.zeros((5, 2)), mixed + 7, np.ones((5, 2))]).astype("float32")
    assert as_array(branch_kl(mixed, branches)) == pytest.approx(0.26162, abs=1e-5)


@pytest.mark.parametrize(("temperature", "eps"), [(2.0, 1e-8), (1.0, 1e-8), (2.0, 0.0), (2.0, 0.1)])
def test_value_equals_the_reference(temperature, eps, example, as_array):
    value = as_array(branch_kl(*example, temperature, eps))
    assert value == pytest.approx(reference(*example, temperature, eps), rel=1e-6)


@pytest.mark.parametrize("eps", [1e-8, 0.0, 0.1])
def test_gradients_through_both_sides(eps, example, gradients, central_differences):
    mixed, branches = example
    found = gradients(lambda z, z_k: branch_kl(z, z_k, eps=eps), mixed, branches)
    expected = (
        central_differences(lambda z: reference(z, branches, eps=eps), mixed),
        central_differences(lambda z_k: reference(mixed, z_k, eps=eps), branches),
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-8)
        assert np.abs(ours).max() > 1e-2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_complete_disagreement_is_finite(dtype, gradients, as_array):
    """With p = (1, 0) and q = (0, 1): log(1 / eps) = 18.42068, or exactly (z - z_k) / T = 100."""
    mixed, branches = np.array([[100, -100]], "float32"), np.array([[[-100, 100]]], "float32")
    tensors = ops.cast(mixed, dtype), ops.cast(branches, dtype)
    assert as_array(branch_kl(*tensors)) == pytest.approx(18.42068, abs=1e-4)
    assert as_array(branch_kl(*tensors, eps=0.0)) == pytest.approx(100)
    for eps in (1e-8, 0.0):
        for found in gradients(lambda *z, eps=eps: branch_kl(*z, eps=eps), *tensors, dtype=dtype):
            assert np.isfinite(found).all()


def test_half_precision_is_summed_in_float32(as_array):
    rng = np.random.default_rng(7)
    mixed, branches = (ops.cast(rng.normal(size=s), "bfloat16") for s in ((8, 999), (3, 8, 999)))
    expected = branch_kl(ops.cast(mixed, "float64"), ops.cast(branches, "float64"))
    value = as_array(branch_kl(mixed, branches))
    assert value == pytest.approx(float(as_array(expected)), rel=1e-4)
