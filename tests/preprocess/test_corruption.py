"""What pretraining spoils: which words, vectors and pairs, and that all else stays."""

import numpy as np
import pytest

from vidsim import schema
from vidsim.preprocess.corruption import Corruption, mismatched_rows
from vidsim.preprocess.masking import SpecialTokens

SPECIAL = SpecialTokens(pad=0, unk=1, cls=2, sep=3, mask=4)


def batch(count=64, tokens=12, frames=9):
    rng = np.random.default_rng(0)
    ids = rng.integers(5, 100, (count, tokens)).astype("int32")
    ids[:, 0], ids[:, -1] = SPECIAL.cls, SPECIAL.sep
    return {
        schema.TOKEN_IDS: ids,
        schema.TOKEN_MASK: np.ones(ids.shape, bool),
        schema.FRAMES: rng.normal(size=(count, frames, 3)).astype("float16"),
        schema.FRAME_MASK: np.arange(frames) < rng.integers(0, frames + 1, count)[:, None],
        schema.TAGS: rng.integers(0, 2, (count, 5)).astype("uint8"),
    }


def spoiled(corruption, made):
    return corruption.apply(made, SPECIAL, 100, np.random.default_rng(1))


def test_nothing_is_spoiled_by_default():
    made = batch()
    names = tuple(made)
    assert Corruption().keys(names) == names
    assert spoiled(Corruption(), made) == made


def test_the_second_half_is_reversed_and_the_middle_of_an_odd_one_stays():
    """As the published code of document 001 shuffles 5 and 6 videos."""
    rng = np.random.default_rng(0)
    assert mismatched_rows(5, "reversed", rng).tolist() == [0, 1, 4, 3, 2]
    assert mismatched_rows(6, "reversed", rng).tolist() == [0, 1, 2, 5, 4, 3]


def test_half_of_the_texts_get_any_other_video():
    rng = np.random.default_rng(0)
    rows = np.stack([mismatched_rows(10, "random", rng) for _ in range(4000)])
    own = rows == np.arange(10)
    assert abs(own.mean() - 0.5) < 0.01
    others = np.stack([np.bincount(rows[~own[:, 0], 0], minlength=10)])[0]
    assert others[0] == 0
    assert others[1:].min() > 0.8 * others[1:].mean()
    assert mismatched_rows(1, "random", rng).tolist() == [0]


@pytest.mark.parametrize("also", [False, True])
def test_the_streams_move_and_their_masks_with_them(also):
    """Words and tags stay; words are predicted beside their own video only, unless asked for."""
    made = batch()
    corruption = Corruption(words=0.5, unmasked=True, mismatch="reversed", words_of_mismatched=also)
    found = spoiled(corruption, made)
    assert set(found) == set(corruption.keys(tuple(made)))
    rows = mismatched_rows(64, "reversed", np.random.default_rng(0))
    for name in (schema.FRAMES, schema.FRAME_MASK):
        np.testing.assert_array_equal(found[name], made[name][rows])
    np.testing.assert_array_equal(found[schema.TAGS], made[schema.TAGS])
    np.testing.assert_array_equal(found[schema.UNMASKED_IDS], made[schema.TOKEN_IDS])
    assert (found[schema.TOKEN_IDS] != made[schema.TOKEN_IDS]).any()
    np.testing.assert_array_equal(found[schema.MATCHED], rows == np.arange(64))
    predicted = found[schema.MLM_WEIGHTS].any(axis=1)
    assert predicted[:32].all()
    assert predicted[32:].any() == also


def test_only_real_frames_are_hidden_in_their_share():
    made = batch(count=2000)
    found = spoiled(Corruption(frames=0.15, frames_hidden=0.9), made)
    chosen, hidden = found[schema.FRAMES_CHOSEN], found[schema.FRAMES_HIDDEN]
    assert not (chosen & ~made[schema.FRAME_MASK]).any()
    assert not (hidden & ~chosen).any()
    assert abs(chosen.sum() / made[schema.FRAME_MASK].sum() - 0.15) < 0.01
    assert abs(hidden.sum() / chosen.sum() - 0.9) < 0.02
    np.testing.assert_array_equal(found[schema.FRAMES], made[schema.FRAMES])


def test_actions_that_a_model_makes_of_frames_are_drawn_with_them():
    """As many as there are frames; of data without frames, none."""
    made = batch()
    corruption = Corruption(actions=0.5, actions_hidden=0.5)
    drawn = (schema.ACTIONS_CHOSEN, schema.ACTIONS_HIDDEN)
    assert corruption.keys(tuple(made)) == (*made, *drawn)
    chosen, hidden = (spoiled(corruption, made)[name] for name in drawn)
    mask = made[schema.FRAME_MASK]
    assert (
        chosen.shape == mask.shape and not (chosen & ~mask).any() and not (hidden & ~chosen).any()
    )
    assert 0 < hidden.sum() < chosen.sum() < mask.sum()
    rest = {name: value for name, value in made.items() if name != schema.FRAME_MASK}
    assert corruption.keys(tuple(rest)) == tuple(rest)
    assert set(spoiled(corruption, rest)) == set(rest)


def test_regions_are_drawn_in_the_place_of_frames():
    made = batch()
    made[schema.REGION_MASK] = np.ones((len(made[schema.FRAME_MASK]), 3), bool)
    assert spoiled(Corruption(frames=0.5), made)[schema.FRAMES_CHOSEN].shape[1] == 3
