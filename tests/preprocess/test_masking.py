"""Masked words: who may be chosen, how often what happens, and that the four arrays agree."""

import math

import numpy as np
import pytest

from vidsim.preprocess.masking import SpecialTokens, mask_words

SPECIAL = SpecialTokens(pad=0, unk=1, cls=2, sep=3, mask=4)
VOCABULARY = 1000


@pytest.fixture(scope="module")
def titles():
    """(4000, 32): titles of 2 to 32 tokens. Ids from 100 on, so that [MASK] is none of them."""
    rng = np.random.default_rng(1)
    ids = rng.integers(100, VOCABULARY, (4000, 32)).astype("int32")
    lengths = rng.integers(2, 33, len(ids))
    mask = np.arange(32) < lengths[:, None]
    ids[:, 0] = SPECIAL.cls
    ids[np.arange(len(ids)), lengths - 1] = SPECIAL.sep
    return np.where(mask, ids, SPECIAL.pad).astype("int32"), mask


@pytest.fixture(scope="module")
def masked(titles):
    rng = np.random.default_rng(2)
    return mask_words(*titles, SPECIAL, VOCABULARY, 0.15, rng)


def within(count, of, share):
    """Whether a binomial count lies within five standard deviations: 1 in 1.7 million does not."""
    return abs(count - of * share) < 5 * math.sqrt(of * share * (1 - share))


def test_the_arrays_agree(titles, masked):
    """Labels are the words at the positions, each position once; nothing else has changed."""
    token_ids, _ = titles
    ids, positions, labels, weights = masked
    assert [array.dtype.name for array in masked] == ["int32", "int32", "int32", "float32"]
    assert positions.shape == labels.shape == weights.shape
    assert weights.sum(axis=1).max() == weights.shape[1]  # no wider than need be
    rebuilt = ids.copy()
    for row in range(len(ids)):
        used = weights[row] == 1
        assert len(set(positions[row][used])) == used.sum()
        rebuilt[row, positions[row][used]] = labels[row][used]
    np.testing.assert_array_equal(rebuilt, token_ids)
    assert set(np.unique(weights)) == {0, 1}


def test_only_words_are_chosen(masked):
    _, _, labels, weights = masked
    assert not np.isin(labels[weights == 1], [SPECIAL.cls, SPECIAL.sep, SPECIAL.pad]).any()


def test_padding_that_looks_like_a_word_is_not_chosen(titles):
    token_ids, mask = titles
    noise = np.where(mask, token_ids, 500).astype("int32")
    ids, *_, weights = mask_words(noise, mask, SPECIAL, VOCABULARY, 1.0, np.random.default_rng(0))
    assert weights.sum() == mask.sum() - 2 * len(mask)  # all but [CLS] and [SEP]
    assert (ids[~mask] == 500).all()


def test_shares(titles, masked):
    """15 % of the words; of those 80 % [MASK], 10 % another word, 10 % as they were.

    A random word is the word itself in 1 of 1000 cases, far inside the bounds.
    """
    _, mask = titles
    ids, positions, labels, weights = masked
    words = mask.sum() - 2 * len(mask)
    chosen = int(weights.sum())
    assert within(chosen, words, 0.15)
    shown = np.take_along_axis(ids, positions, axis=1)[weights == 1]
    was = labels[weights == 1]
    assert within((shown == SPECIAL.mask).sum(), chosen, 0.8)
    assert within((shown == was).sum(), chosen, 0.1)
    random = shown[(shown != was) & (shown != SPECIAL.mask)]
    assert within(len(random), chosen, 0.1)
    assert within((random < VOCABULARY // 2).sum(), len(random), 0.5)
    assert random.min() < 100  # of the whole vocabulary
    assert random.max() < VOCABULARY


def test_nothing_to_choose():
    ids = np.array([[2, 3, 0], [2, 3, 0]], "int32")
    found = mask_words(ids, ids > 0, SPECIAL, VOCABULARY, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(found[0], ids)
    assert found[1].shape == found[2].shape == found[3].shape == (2, 1)
    assert not found[3].any()


def test_the_generator_decides(titles, masked):
    again = mask_words(*titles, SPECIAL, VOCABULARY, 0.15, np.random.default_rng(2))
    other = mask_words(*titles, SPECIAL, VOCABULARY, 0.15, np.random.default_rng(3))
    np.testing.assert_array_equal(again[0], masked[0])
    assert (other[0] != masked[0]).any()
