"""The three blends by hand, and by what each promises about cosines."""

import sys

import numpy as np
import pytest
from scipy.linalg import eigh

from vidsim.blending import row_source
from vidsim.blending.blend import BLENDS, Blend, blend, l2_normalize
from vidsim.blending.fold_mean import fold_mean
from vidsim.errors import VidsimError


def cosines(vectors):
    unit = l2_normalize(vectors.astype(np.float64))
    return unit @ unit.T


def rotation(size, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def made(rows, columns, seed):
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def test_l2_normalize_keeps_zero_rows():
    normal = l2_normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(normal, [[0.6, 0.8], [0, 0]])


def test_fold_mean_derived():
    """(3, 4) has length 5: (0.6, 0.8) and (1, 0) have the mean (0.8, 0.4); raw it is (2, 2)."""
    folds = [np.array([[3, 4]], np.float32), np.array([[1, 0]], np.float32)]
    np.testing.assert_allclose(fold_mean(iter(folds)), [[0.8, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(fold_mean(iter(folds), raw=True), [[2, 2]])
    assert fold_mean(folds).dtype == np.float32


def test_fold_mean_holds_one_member_at_a_time():
    alive = []

    def members():
        for value in range(4):
            member = np.full((1, 1), value, np.float32)
            alive.append(value)
            yield member

    assert fold_mean(members(), raw=True) == 1.5
    assert alive == [0, 1, 2, 3]


def test_fold_mean_refuses_nothing_and_other_shapes():
    with pytest.raises(ValueError, match="no folds"):
        fold_mean([])
    with pytest.raises(VidsimError, match=r"\(2, 3\) and \(2, 4\)"):
        fold_mean([made(2, 3, 0), made(2, 4, 0)])
    with pytest.raises(VidsimError, match=r"\(2, 3\) and \(1, 3\)"):
        fold_mean([made(2, 3, 0), made(1, 3, 0)])  # would broadcast


def test_sum_derived():
    """0.25 (0.6, 0.8) + 0.75 (0, 1) = (0.15, 0.95); raw 0.25 (3, 4) + 0.75 (0, 2) = (0.75, 2.5)."""
    matrices = [np.array([[3, 4]], np.float32), np.array([[0, 2]], np.float32)]
    np.testing.assert_allclose(blend(matrices, [0.25, 0.75], "sum"), [[0.15, 0.95]], rtol=1e-6)
    np.testing.assert_allclose(blend(matrices, [0.25, 0.75], "sum", raw=True), [[0.75, 2.5]])


def test_aligned_derived():
    """The second recipe is the first turned by a quarter: turned back, they add up."""
    first = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    second = first @ np.array([[0, 1], [-1, 0]], np.float32)
    np.testing.assert_allclose(blend([first, second], [0.5, 0.5], "aligned"), first, atol=1e-6)


def test_svd_derived():
    """Unit vectors (1, 0) and (0, 1), and twice (1, 0), weights a half: the dot products of the
    concatenation are half of 1 + 1 on the diagonal and half of 0 + 1 off it.
    """
    first = np.array([[1, 0], [0, 1]], np.float32)
    second = np.array([[1, 0], [1, 0]], np.float32)
    blended = blend([first, second], [0.5, 0.5], "svd").astype(np.float64)
    np.testing.assert_allclose(blended @ blended.T, [[1, 0.5], [0.5, 1]], atol=1e-6)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("method", BLENDS)
def test_one_recipe_keeps_its_cosines(method, raw):
    matrix = made(30, 8, seed=0)
    blended = blend([matrix], [1.0], method, raw)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(cosines(blended), cosines(matrix), atol=1e-5)


@pytest.mark.parametrize(
    ("method", "invariant"), [("sum", False), ("aligned", True), ("svd", True)]
)
def test_bases_of_recipes_are_arbitrary(method, invariant):
    """Turning one recipe's basis changes none of its cosines; nor may it change the blend's."""
    first, second = made(40, 8, seed=1), made(40, 8, seed=2)
    as_is = blend([first, second], [0.4, 0.6], method)
    turned = blend([first, second @ rotation(8, seed=3)], [0.4, 0.6], method)
    assert np.allclose(cosines(as_is), cosines(turned), atol=1e-5) == invariant


@pytest.mark.parametrize("method", BLENDS)
@pytest.mark.parametrize("raw", [False, True])
def test_only_raw_blends_see_lengths(method, raw):
    matrices = [made(40, 8, seed=1), made(40, 8, seed=2)]
    longer = [matrices[0], 50 * matrices[1]]
    same = np.allclose(
        cosines(blend(matrices, [0.5, 0.5], method, raw)),
        cosines(blend(longer, [0.5, 0.5], method, raw)),
        atol=1e-5,
    )
    assert same != raw


def test_svd_is_the_weighted_mean_of_cosines_while_256_numbers_suffice():
    matrices = [made(60, 16, seed) for seed in range(3)]
    weights = [0.2, 0.3, 0.5]
    blended = blend(matrices, weights, "svd").astype(np.float64)
    expected = sum(w * cosines(m) for w, m in zip(weights, matrices, strict=True))
    assert blended.shape == (60, 48)
    np.testing.assert_allclose(blended @ blended.T, expected, atol=1e-5)


def test_svd_cuts_where_numpy_does():
    matrices = [made(320, 140, seed) for seed in range(2)]
    blended = blend(matrices, [0.5, 0.5], "svd").astype(np.float64)
    wide = np.concatenate([l2_normalize(m) for m in matrices], axis=1) / 2**0.5
    u, s, _ = np.linalg.svd(wide.astype(np.float64), full_matrices=False)
    best = (u[:, :256] * s[:256]) @ (u[:, :256] * s[:256]).T
    assert blended.shape == (320, 256)
    np.testing.assert_allclose(blended @ blended.T, best, atol=1e-5)
    assert np.abs(best - wide @ wide.T).max() > 1e-3  # something was cut


def test_svd_fixes_signs():
    """Each column is wide @ v; the largest number of every v must be positive."""
    matrices = [made(50, 6, seed) for seed in range(2)]
    blended = blend(matrices, [0.5, 0.5], "svd").astype(np.float64)
    wide = np.concatenate([l2_normalize(m) for m in matrices], axis=1) / 2**0.5
    directions = np.linalg.lstsq(wide, blended)[0]  # (12, 12), one direction a column
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(12)]
    assert (largest > 0).all()


@pytest.mark.parametrize("method", BLENDS)
def test_zero_vectors_stay_finite(method):
    matrices = [made(20, 4, seed=1), made(20, 4, seed=2)]
    for matrix in matrices:
        matrix[5] = 0
    blended = blend(matrices, [0.5, 0.5], method)
    assert np.isfinite(blended).all()
    np.testing.assert_allclose(blended[5], 0, atol=1e-7)
    assert (np.abs(np.delete(blended, 5, axis=0)).max(axis=1) > 0).all()


@pytest.mark.parametrize("method", BLENDS)
def test_blend_refuses(method):
    with pytest.raises(VidsimError, match=r"\(3, 4\), \(3, 5\)"):
        blend([made(3, 4, 0), made(3, 5, 0)], [0.5, 0.5], method)
    with pytest.raises(VidsimError, match="257 numbers"):
        blend([made(3, 257, 0)], [1], method)


@pytest.mark.parametrize("method", BLENDS)
def test_chunks_make_no_difference(method, monkeypatch):
    """Sums made of chunks, rows blended a few at a time and out of order; without sums of squares
    that reach over several chunks the directions would be those of the first.
    """
    matrices = [made(100, 6, seed) for seed in range(3)]
    whole = blend(matrices, [0.2, 0.3, 0.5], method)
    monkeypatch.setattr(row_source, "CHUNK", 7)
    by_rows = Blend(matrices, [0.2, 0.3, 0.5], method)
    assert by_rows.shape == whole.shape
    for rows in (slice(0, 7), slice(90, 100), np.array([50, 3, 3])):
        np.testing.assert_allclose(by_rows[rows], whole[rows], rtol=1e-5, atol=1e-6)


def test_svd_of_few_videos_takes_the_small_gram_matrix(monkeypatch):
    """Fewer videos than columns: the same blend as by numpy from an (N, N) matrix, not (48, 48).

    Two videos are equal and one is zero, so three of the 20 directions hold nothing: no noise may
    stand for them.
    """
    sizes = []
    module = sys.modules["vidsim.blending.blend"]
    monkeypatch.setattr(module, "eigh", lambda a, **k: sizes.append(len(a)) or eigh(a, **k))
    matrices = [made(20, 16, seed) for seed in range(3)]
    for matrix in matrices:
        matrix[7], matrix[8], matrix[9] = matrix[6], 2 * matrix[6], 0
    blended = blend(matrices, [0.2, 0.3, 0.5], "svd").astype(np.float64)
    assert sizes == [20]
    parts = zip([0.2, 0.3, 0.5], matrices, strict=True)
    wide = np.concatenate([w**0.5 * l2_normalize(m.astype(np.float64)) for w, m in parts], axis=1)
    values, rows = np.linalg.svd(wide)[1:]
    rows = rows[:17]
    rows = rows * np.sign(rows[np.arange(17), np.abs(rows).argmax(axis=1)])[:, None]
    assert values[16] > 0.1 > 1e-12 > values[17]
    np.testing.assert_allclose(blended[:, :17], wide @ rows.T, atol=1e-6)
    assert (blended[:, 17:] == 0).all()
