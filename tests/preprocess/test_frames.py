"""Which frames are looked at: the published rule by its words, the uniform one by its claims."""

import numpy as np
import pytest

from vidsim.preprocess.frames import sample_frames

LENGTHS = (0, 1, 31, 32, 33, 63, 64, 95, 200)


def published(n, most):
    """The rule one number at a time; the published code repeats the last frame where n < most."""
    step = n // most
    if step == 0:
        return list(range(n))
    return [i * step + step // 2 for i in range(most)]


def uniform(n, most):
    """The frame at the middle of each of `most` stretches of n / most frames."""
    if n <= most:
        return list(range(n))
    return [int((i + 0.5) * n / most) for i in range(most)]


def rows(n_frames, most, rule):
    index, mask = sample_frames(np.array(n_frames), most, rule)
    assert index.shape == mask.shape
    assert not index[~mask].any()
    assert (np.sort(~mask, axis=1) == ~mask).all()  # real ones first
    return [row[real].tolist() for row, real in zip(index, mask, strict=True)]


@pytest.mark.parametrize(("rule", "expected"), [("published", published), ("uniform", uniform)])
@pytest.mark.parametrize("most", [32, 8])
def test_equals_the_rule(rule, expected, most):
    assert rows(LENGTHS, most, rule) == [expected(n, most) for n in LENGTHS]


def test_published_by_hand():
    """33 and 63 frames: the first 32. 64 and 95: 1, 3, ... 63. 200: step 6 from 3."""
    found = dict(zip(LENGTHS, rows(LENGTHS, 32, "published"), strict=True))
    assert found[33] == found[63] == list(range(32))
    assert found[64] == found[95] == list(range(1, 64, 2))
    assert found[200] == list(range(3, 195, 6))


@pytest.mark.parametrize("n", [33, 40, 63, 64, 95, 200, 4001])
def test_uniform_covers_the_whole_video(n):
    """32 frames, different and in order, the same from both ends, none further from the next than
    a stretch; the first and the last lie in the first and the last stretch."""
    (found,) = rows([n], 32, "uniform")
    stretch = n / 32
    assert len(set(found)) == 32
    assert found == sorted(found)
    assert found[0] < stretch
    assert found[-1] >= n - stretch
    assert max(np.diff(found)) <= np.ceil(stretch)


def test_a_batch_is_no_wider_than_its_longest_video():
    index, mask = sample_frames(np.array([2, 0, 5]), 32)
    assert index.shape == (3, 5)
    assert mask.sum(axis=1).tolist() == [2, 0, 5]


def test_only_videos_without_frames():
    index, mask = sample_frames(np.array([0, 0]), 32)
    assert index.tolist() == [[0], [0]]
    assert not mask.any()


def test_an_unknown_rule():
    with pytest.raises(ValueError, match="'random'; accepted are uniform, published"):
        sample_frames(np.array([1]), 32, "random")
