"""Which videos and rated pairs are kept for the test."""

from dataclasses import dataclass

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.video_groups import group_videos
from vidsim.tables.rating_list import Ratings
from vidsim.tables.values import TEST

TEST_SHARE = 0.1
"""Of the ratings, where nobody says how many are for the test."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Where N videos and P rated pairs go.

    Attributes:
        train: (N,) bool, videos to train on.
        test: (N,) bool, videos of the test. One that is in both was asked for in both.
        rated: (N,) bool, videos of a rated pair to train on.
        train_pairs: (P,) bool.
        test_pairs: (P,) bool. A pair of one side each is in none of them.
    """

    train: np.ndarray
    test: np.ndarray
    rated: np.ndarray
    train_pairs: np.ndarray
    test_pairs: np.ndarray

    @property
    def left_out(self) -> int:
        """Pairs with a video on each side."""
        return int((~self.train_pairs & ~self.test_pairs).sum())


def by_videos(splits: np.ndarray, ratings: Ratings | None) -> Parts:
    """Parts by a split of the videos, (N,) of TRAIN, VAL and TEST."""
    return _parts(splits == TEST, ratings)


def by_pairs(videos: int, ratings: Ratings) -> Parts:
    """Parts by a split of the pairs; a video of pairs of both kinds is in both parts."""
    assert ratings.splits is not None
    tests = ratings.splits == TEST
    test, rated = _videos_of(videos, ratings, tests), _videos_of(videos, ratings, ~tests)
    return Parts(rated | ~test, test, rated, ~tests, tests)


def by_share(videos: int, ratings: Ratings | None, share: float, seed: int) -> Parts:
    """Parts drawn by a seed, no video of a test pair in any pair to train on.

    Pairs are links between videos. What is linked stays together; where all are linked, they are
    cut where few pairs are lost. Without ratings, videos are drawn one by one.

    Args:
        videos: how many there are.
        ratings: of pairs of them.
        share: of the ratings, or of the videos where there are none.
        seed: of the drawing.

    Raises:
        VidsimError: one side would have no pair.
    """
    rng = np.random.default_rng(seed)
    test = np.zeros(videos, bool)
    if ratings is None:
        test[rng.permutation(videos)[: round(share * videos)]] = True
        return _parts(test, None)
    groups = max(2, round(1 / share)) if share <= 0.5 else round(1 / (1 - share))
    # numbered by chance: which group is which, and where cutting begins, is a matter of numbers
    known = rng.permutation(np.unique(ratings.rows))
    number = np.empty(videos, np.int64)
    number[known] = np.arange(len(known))
    group = group_videos(number[ratings.rows], groups)
    tests = group == 0 if share <= 0.5 else group != 0
    test[known[tests]] = True
    parts = _parts(test, ratings)
    if not parts.test_pairs.any() or not parts.train_pairs.any():
        raise VidsimError(
            f"--test-share {share:g}: of {len(ratings)} ratings {int(parts.train_pairs.sum())} "
            f"would be left to train on and {int(parts.test_pairs.sum())} to test by; name the "
            "test's videos in a column split, or give --folds-only"
        )
    return parts


def _parts(test: np.ndarray, ratings: Ratings | None) -> Parts:
    if ratings is None:
        none = np.zeros(0, bool)
        return Parts(~test, test, np.zeros(len(test), bool), none, none)
    tests = test[ratings.rows].sum(axis=1)  # how many of a pair's two videos
    rated = _videos_of(len(test), ratings, tests == 0)
    return Parts(~test, test, rated, tests == 0, tests == 2)


def _videos_of(videos: int, ratings: Ratings, pairs: np.ndarray) -> np.ndarray:
    """(N,) bool, the videos of some of the pairs."""
    found = np.zeros(videos, bool)
    found[ratings.rows[pairs].reshape(-1)] = True
    return found
