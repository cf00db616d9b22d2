"""What is hidden in training: masks only, in the asked shares, never [CLS]."""

import math

import numpy as np
import pytest

from vidsim import schema
from vidsim.preprocess.augmentation import hide_parts
from vidsim.preprocess.configs import AugmentationConfig


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    lengths, counts = rng.integers(2, 13, 3000), rng.integers(0, 9, 3000)
    return {
        schema.TOKEN_IDS: rng.integers(0, 9, (3000, 12)),
        schema.TOKEN_MASK: np.arange(12) < lengths[:, None],
        schema.FRAME_MASK: np.arange(8) < counts[:, None],
    }


def hidden(batch, seed=1, **config):
    found = hide_parts(batch, AugmentationConfig(**config), np.random.default_rng(seed))
    assert found.keys() == batch.keys()
    np.testing.assert_array_equal(found[schema.TOKEN_IDS], batch[schema.TOKEN_IDS])
    masks = found[schema.TOKEN_MASK], found[schema.FRAME_MASK]
    for after, key in zip(masks, (schema.TOKEN_MASK, schema.FRAME_MASK), strict=True):
        assert after.dtype == bool
        assert not (after & ~batch[key]).any()  # padding stays padding
    assert masks[0][:, 0].all()
    return masks


def within(count, of, share):
    """Five standard deviations of a binomial count."""
    return abs(count - of * share) < 5 * math.sqrt(of * share * (1 - share))


def test_nothing_is_hidden_by_default(batch):
    tokens, frames = hidden(batch)
    np.testing.assert_array_equal(tokens, batch[schema.TOKEN_MASK])
    np.testing.assert_array_equal(frames, batch[schema.FRAME_MASK])


def test_words_and_frames(batch):
    before = dict(batch)
    tokens, frames = hidden(batch, word_dropout=0.1, frame_dropout=0.3)
    words = batch[schema.TOKEN_MASK][:, 1:].sum()
    assert within(words - tokens[:, 1:].sum(), words, 0.1)
    count = batch[schema.FRAME_MASK].sum()
    assert within(count - frames.sum(), count, 0.3)
    for key, value in before.items():
        assert batch[key] is value  # the caller's batch is as it was


def test_one_modality_or_the_other(batch):
    """At 0.4, a fifth of the videos lose all their frames, another fifth all but [CLS]."""
    tokens, frames = hidden(batch, modality_dropout=0.4)
    no_title = tokens.sum(axis=1) == 1
    blind = batch[schema.FRAME_MASK].any(axis=1) & ~frames.any(axis=1)
    assert within(no_title.sum(), 3000, 0.2)
    assert within(blind.sum(), batch[schema.FRAME_MASK].any(axis=1).sum(), 0.2)
    assert not (no_title & blind).any()
    np.testing.assert_array_equal(tokens[~no_title], batch[schema.TOKEN_MASK][~no_title])
    np.testing.assert_array_equal(frames[~blind], batch[schema.FRAME_MASK][~blind])


def test_the_generator_decides(batch):
    rates = {"word_dropout": 0.5, "frame_dropout": 0.5, "modality_dropout": 0.5}
    first, again, other = (hidden(batch, seed, **rates) for seed in (1, 1, 2))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()
