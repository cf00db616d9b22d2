"""Symmetric InfoNCE: by hand, against plain loops, with rows left out and with zero vectors."""

import math

import numpy as np
import pytest
from keras import ops

from vidsim.losses.contrastive import multi_positive_info_nce, symmetric_info_nce


def reference(a, b, temperature, mask=None):
    rows = [i for i in range(len(a)) if mask is None or mask[i]]
    a = {i: a[i] / max(np.linalg.norm(a[i]), 1e-300) for i in rows}
    b = {i: b[i] / max(np.linalg.norm(b[i]), 1e-300) for i in rows}
    total = 0.0
    for anchors, others in ((a, b), (b, a)):
        for i in rows:
            logits = [anchors[i] @ others[j] / temperature for j in rows]
            total += math.log(sum(map(math.exp, logits))) - anchors[i] @ others[i] / temperature
    return total / (2 * len(rows)) if rows else 0.0


@pytest.fixture
def example():
    rng = np.random.default_rng(2)
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 3)) * 4


def test_by_hand(as_array):
    """Two orthogonal pairs at temperature 1: every softmax sees cosines (1, 0).

    The loss is log(e + 1) - 1 = 0.31326; at temperature 1/2, log(e^2 + 1) - 2 = 0.12693. Vectors
    that are all alike tell nothing: log 2.
    """
    eye = np.eye(2, dtype="float32") * 3  # the length does not matter
    assert as_array(symmetric_info_nce(eye, eye, 1.0)) == pytest.approx(0.31326, abs=1e-5)
    assert as_array(symmetric_info_nce(eye, eye, 0.5)) == pytest.approx(0.12693, abs=1e-5)
    same = np.ones((2, 2), "float32")
    assert as_array(symmetric_info_nce(same, same)) == pytest.approx(math.log(2), rel=1e-6)


def test_both_directions_count(as_array):
    """With a = (x, x), b = (x, y) and temperature 1 the two directions differ.

    From a, both rows see cosines (1, 0): row 0 costs log(e + 1) - 1, row 1 log(e + 1), in the mean
    0.81326. From b, row 0 sees (1, 1) and row 1 (0, 0): both cost log 2. Together 0.75320.
    """
    a = np.array([[1, 0], [1, 0]], "float32")
    b = np.array([[1, 0], [0, 1]], "float32")
    assert as_array(symmetric_info_nce(a, b, 1.0)) == pytest.approx(0.75320, abs=1e-5)


@pytest.mark.parametrize("mask", [None, [1, 0, 1, 1, 0], [0, 0, 1, 0, 0]])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_value_equals_the_reference(mask, temperature, example, as_array):
    value = as_array(symmetric_info_nce(*example, temperature, mask))
    assert value == pytest.approx(reference(*example, temperature, mask), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("mask", [None, [True, False, True, True, False]])
def test_gradient_equals_the_reference(mask, example, gradients, central_differences):
    a, b = example
    found_a, found_b = gradients(lambda a, b: symmetric_info_nce(a, b, 0.2, mask), a, b)
    expected_a = central_differences(lambda a: reference(a, b, 0.2, mask), a)
    expected_b = central_differences(lambda b: reference(a, b, 0.2, mask), b)
    np.testing.assert_allclose(found_a, expected_a, atol=1e-8)
    np.testing.assert_allclose(found_b, expected_b, atol=1e-8)
    assert np.abs(found_a).max() > 1e-2


def test_rows_left_out_change_nothing(example, gradients, as_array):
    """Whatever stands in a row left out, value and gradients are those of the batch without it."""
    a, b = example
    mask = np.array([True, True, False, True, False])
    a[2], b[4] = 0.0, 1e6
    value = as_array(symmetric_info_nce(a, b, mask=mask))
    assert value == pytest.approx(float(as_array(symmetric_info_nce(a[mask], b[mask]))), rel=1e-9)
    found = gradients(lambda a, b: symmetric_info_nce(a, b, mask=mask), a, b)
    expected = gradients(symmetric_info_nce, a[mask], b[mask])
    for with_mask, without in zip(found, expected, strict=True):
        np.testing.assert_allclose(with_mask[mask], without, rtol=1e-9)
        assert not with_mask[~mask].any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_zero_vectors_and_empty_masks_are_finite(dtype, gradients, as_array):
    a, b = np.zeros((3, 4), "float32"), np.eye(3, 4, dtype="float32")
    value = as_array(symmetric_info_nce(ops.cast(a, dtype), ops.cast(b, dtype)))
    assert value == pytest.approx(math.log(3), rel=1e-6)
    for found in gradients(symmetric_info_nce, a, b, dtype=dtype):
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 100  # of the order of 1 / temperature, not of 1 / epsilon

    nobody = [False] * 3
    assert as_array(symmetric_info_nce(a, b, mask=nobody)) == 0
    for found in gradients(lambda a, b: symmetric_info_nce(a, b, mask=nobody), a, b):
        assert not found.any()


def test_half_precision_is_widened_before_the_temperature(as_array):
    """Cosines in bfloat16 would be off by up to 1/512, over temperature 0.07 by 0.03."""
    rng = np.random.default_rng(3)
    a, b = (ops.cast(rng.normal(size=(32, 16)), "bfloat16") for _ in range(2))
    expected = symmetric_info_nce(ops.cast(a, "float64"), ops.cast(b, "float64"))
    value = as_array(symmetric_info_nce(a, b))
    assert value == pytest.approx(float(as_array(expected)), rel=1e-5)


def multi_reference(a, b, groups, temperature):
    """Plain loops: cross-entropy of each row against 1 / n on its group's n rows."""
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    total = 0.0
    for anchors, others in ((a, b), (b, a)):
        for i in range(len(a)):
            logits = [anchors[i] @ other / temperature for other in others]
            log_sum = math.log(sum(map(math.exp, logits)))
            own = [j for j in range(len(a)) if groups[j] == groups[i]]
            total += sum(log_sum - logits[j] for j in own) / len(own)
    return total / (2 * len(a))


def test_several_positives_by_hand(as_array):
    """Rows 0 and 1 are one video's, row 2 another's; temperature 1, all cosines 1 or 0.

    Rows 0 and 1 see (1, 1, 0): log(2e + 1) - 1 each way; row 2 sees (0, 0, 1): log(e + 2) - 1.
    With three groups rows 0 and 1 would have to choose; vectors all alike cost log 3 either way.
    """
    x = np.array([[1, 0], [1, 0], [0, 1]], "float32")
    value = as_array(multi_positive_info_nce(x, x, np.array([7, 7, 2]), 1.0))
    expected = (2 * (math.log(2 * math.e + 1) - 1) + math.log(math.e + 2) - 1) / 3
    assert value == pytest.approx(expected, rel=1e-6)
    same = np.ones((3, 2), "float32")
    assert as_array(multi_positive_info_nce(same, same, np.array([7, 7, 2]), 0.1)) == (
        pytest.approx(math.log(3), rel=1e-6)
    )


def test_several_positives_equal_the_reference(example, gradients, central_differences, as_array):
    """Value and gradient, in the vectors and in the temperature; groups of one: InfoNCE."""
    (a, b), groups, t = example, np.array([3, 1, 3, 3, 0]), np.array(0.2)
    value = as_array(multi_positive_info_nce(a, b, groups, t))
    assert value == pytest.approx(multi_reference(a, b, groups, t), rel=1e-9)
    found = gradients(lambda a, b, t: multi_positive_info_nce(a, b, groups, t), a, b, t)
    for place, gradient in enumerate(found):

        def moved(x, place=place):
            parts = [a, b, t]
            parts[place] = x
            return multi_reference(parts[0], parts[1], groups, parts[2])

        np.testing.assert_allclose(
            gradient, central_differences(moved, [a, b, t][place]), atol=1e-7
        )
    single = as_array(multi_positive_info_nce(a, b, np.arange(5), t))
    assert single == pytest.approx(float(as_array(symmetric_info_nce(a, b, 0.2))), rel=1e-9)
