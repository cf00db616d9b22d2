"""Spearman by hand, and the cosines it is taken of."""

import math

import numpy as np
import pytest
from scipy.stats import kendalltau

from vidsim.errors import VidsimError
from vidsim.metrics.spearman import SpearmanEvaluator, pair_cosine, spearman


def test_spearman_derived():
    """Ranks 1 2 3 4 against 1 3 2 4: squared differences 0 1 1 0, so 1 - 6 * 2 / (4 * 15) = 0.8."""
    assert spearman(np.array([1, 2, 3, 4]), np.array([10, 30, 20, 40])) == pytest.approx(0.8)


def test_spearman_derived_with_ties():
    """Ranks 1.5 1.5 3 against 1 2 3: covariance 1.5 over sqrt(1.5 * 2)."""
    expected = 1.5 / math.sqrt(3)
    assert spearman(np.array([5, 5, 9]), np.array([0.1, 0.2, 0.3])) == pytest.approx(expected)


def test_spearman_sees_ranks_only():
    rng = np.random.default_rng(0)
    a, b = rng.random(50), rng.random(50)
    assert spearman(np.exp(9 * a), b) == pytest.approx(spearman(a, b))
    assert spearman(a, b) != pytest.approx(kendalltau(a, b).statistic)  # it is not just any rank


@pytest.mark.parametrize("constant", [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [1, 1, 1])])
def test_spearman_of_a_constant_is_nan(constant, recwarn):
    assert math.isnan(spearman(*map(np.array, constant)))
    assert not recwarn.list


def test_spearman_of_a_nan_is_nan():
    assert math.isnan(spearman(np.array([1, math.nan, 3]), np.array([1, 2, 3])))


@pytest.mark.parametrize("count", [0, 1])
def test_spearman_needs_two_pairs(count):
    with pytest.raises(VidsimError, match=f"there are {count}"):
        spearman(np.zeros(count), np.zeros(count))


def test_spearman_refuses_lists_of_two_lengths():
    with pytest.raises(ValueError, match="one length"):
        spearman(np.zeros(2), np.zeros(3))


def test_pair_cosine_derived():
    """(3, 4) with (4, 3): 24 / 25; with (0, 2): 4 / 5; with its own opposite: -1; with zero: 0."""
    embeddings = np.array([[3, 4], [4, 3], [0, 2], [-6, -8], [0, 0]], np.float32)
    cosines = pair_cosine(embeddings, np.zeros(4, int), np.array([1, 2, 3, 4]))
    np.testing.assert_allclose(cosines, [0.96, 0.8, -1, 0], atol=1e-12)


def test_pair_cosine_of_float16_does_not_overflow():
    """256 numbers of 300 have a square sum of 23 million; float16 ends at 65,504."""
    embeddings = np.full((2, 256), 300, np.float16)
    np.testing.assert_allclose(pair_cosine(embeddings, np.array([0]), np.array([1])), [1])


def test_pair_cosine_keeps_float64():
    tiny = np.array([[1e-200, 0], [1e-200, 1e-200]])
    np.testing.assert_allclose(pair_cosine(1e100 * tiny, np.array([0]), np.array([1])), [0.5**0.5])


def test_evaluator_says_what_it_measures():
    rows_1, rows_2 = np.array([0, 0, 0]), np.array([1, 2, 3])
    embeddings = np.array([[1, 0], [1, 0.1], [1, 0.5], [1, 2]], np.float32)  # ever further from 0
    evaluate = SpearmanEvaluator(rows_1, rows_2, np.array([0.9, 0.5, 0.2], np.float32))
    assert evaluate.primary_metric == "spearman"
    assert evaluate.greater_is_better
    assert evaluate(embeddings) == {"spearman": pytest.approx(1.0)}
    assert evaluate(embeddings[[0, 3, 2, 1]]) == {"spearman": pytest.approx(-1.0)}
    named = SpearmanEvaluator(rows_1, rows_2, np.array([0.9, 0.5, 0.2]), name="pairwise")
    assert set(named(embeddings)) == {named.primary_metric} == {"pairwise_spearman"}


def test_evaluator_refuses_what_is_no_set_of_pairs():
    with pytest.raises(VidsimError, match="at least two pairs"):
        SpearmanEvaluator(np.array([0]), np.array([1]), np.array([0.5]), name="val")
    with pytest.raises(ValueError, match="2 ratings"):
        SpearmanEvaluator(np.array([0, 1, 2]), np.array([1, 2, 0]), np.array([0.5, 0.1]))
