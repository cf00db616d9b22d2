"""Fold membership: the published folds to the letter, and folds that share no video."""

import random

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.records.folds import grouped_folds, published_folds, seen_pairs, seen_videos
from vidsim.records.pairs import Pairs, pair_keys
from vidsim.tasks.similarity.pair_source import FoldPairs

CHALLENGE_PAIRS = 67_899


def random_pairs(n_pairs: int, n_videos: int) -> Pairs:
    videos = np.random.default_rng(5).integers(0, n_videos, (n_pairs, 2)).astype(np.bytes_)
    return Pairs(videos[:, 0], videos[:, 1], np.zeros(n_pairs, np.float32))


def test_parity_with_the_published_algorithm_on_67899_pairs():
    """A plain transcription: the module's random state, pairs shuffled in place, lists sliced."""
    folds = published_folds(CHALLENGE_PAIRS)
    pairs = [(f"id{i}", f"id{i + 1}", i / CHALLENGE_PAIRS) for i in range(CHALLENGE_PAIRS)]
    numbers = {pair: number for number, pair in enumerate(pairs)}
    random.seed(42)
    random.shuffle(pairs)
    assert len(folds) == 11
    for i, fold in enumerate(folds):
        val_pairs = pairs[i * 6000 : (i + 1) * 6000]
        train_pairs = pairs[: i * 6000] + pairs[(i + 1) * 6000 :]
        random.shuffle(train_pairs)
        assert fold.val.tolist() == [numbers[pair] for pair in val_pairs]
        assert fold.train.tolist() == [numbers[pair] for pair in train_pairs]
        assert fold.name == f"{i * 6000}-{i * 6000 + 5999}val"
        assert (fold.index, len(fold.val), len(fold.train)) == (i, 6000, 61_899)


def test_golden_first_pairs_of_the_challenge():
    """Rows of label.tsv, as the algorithm gave them outside this package."""
    folds = published_folds(CHALLENGE_PAIRS)
    assert folds[0].val[:5].tolist() == [38732, 43589, 23904, 56643, 20334]
    assert folds[10].train[:5].tolist() == [40704, 62118, 12484, 58850, 27544]


@pytest.mark.parametrize(
    ("n_pairs", "num_folds", "fold_size", "sizes"),
    [
        (66_000, 11, None, [6000] * 11),
        (65_999, 11, None, [5999, *[6000] * 10]),
        (67_899, 4, None, [16974, 16975, 16975, 16975]),
        (10, 3, None, [3, 3, 4]),
        (10, 3, 2, [2, 2, 2]),
        (10, 1, 4, [4]),
    ],
)
def test_derived_sizes(n_pairs, num_folds, fold_size, sizes):
    """Even division cuts at i * n // k: 10 pairs in 3 folds at 0, 3, 6, 10."""
    folds = published_folds(n_pairs, num_folds, fold_size)
    assert sorted(len(fold.val) for fold in folds) == sorted(sizes)
    validated = np.concatenate([fold.val for fold in folds])
    assert len(set(validated.tolist())) == len(validated) == sum(sizes)
    for fold in folds:
        assert sorted([*fold.train, *fold.val]) == list(range(n_pairs))
    first = 0
    for fold in folds:
        assert fold.name == f"{first}-{first + len(fold.val) - 1}val"
        first += len(fold.val)


def test_seed_changes_the_folds():
    assert published_folds(50, seed=1)[0].val.tolist() != published_folds(50)[0].val.tolist()
    assert published_folds(50)[3].train.tolist() == published_folds(50)[3].train.tolist()


@pytest.mark.parametrize(
    ("n_pairs", "num_folds", "fold_size"),
    [(10, 11, None), (10, 0, None), (10, -1, 2), (10, 1, None), (10, 3, 4), (10, 1, 10), (9, 3, 0)],
)
def test_too_few_pairs(n_pairs, num_folds, fold_size):
    with pytest.raises(VidsimError, match=f"{n_pairs} pairs cannot make {num_folds} folds"):
        published_folds(n_pairs, num_folds, fold_size)


def test_derived_seen_pairs():
    """b-a is a-b of training, twice; c-d is new, although both of its videos are known."""
    train = Pairs.from_lists([b"a", b"c", b"d"], [b"b", b"b", b"e"], [0.0, 0.0, 0.0])
    val = Pairs.from_lists([b"b", b"c", b"b"], [b"a", b"d", b"a"], [1.0, 1.0, 0.0])
    assert pair_keys(val) == [(b"a", b"b"), (b"c", b"d"), (b"a", b"b")]
    assert seen_pairs(train, val) == 2
    told = "4 of its 4 videos and 2 of its 3 pairs seen in training"
    assert FoldPairs(0, train, None, val, None).seen() == told
    assert FoldPairs(0, val, None, train, None).seen().startswith("4 of its 5 videos and 1 of its")
    assert "pairs" not in FoldPairs(0, train.take(np.arange(1)), None, train.take([1]), None).seen()


def test_derived_seen_videos():
    """Validation has a, b, c; training has a, d: of three videos one is seen."""
    train = Pairs.from_lists([b"a"], [b"d"], [0])
    val = Pairs.from_lists([b"b", b"c"], [b"a", b"b"], [0, 0])
    assert seen_videos(train, val) == (3, 1)


def test_grouped_folds_share_no_video():
    pairs = random_pairs(3000, 2800)
    assert seen_videos(*(pairs.take(part) for part in split(published_folds(3000)[0])))[1] > 0
    folds = grouped_folds(pairs)
    validated = np.concatenate([fold.val for fold in folds])
    assert len(set(validated.tolist())) == len(validated) > 0.7 * len(pairs)
    for fold in folds:
        assert seen_videos(*(pairs.take(part) for part in split(fold)))[1] == 0
        assert not set(fold.train.tolist()) & set(fold.val.tolist())
        assert len(fold.train) + len(fold.val) + fold.dropped == len(pairs)
        assert len(fold.val) > 0.5 * len(validated) / len(folds)
    names = [fold.name for fold in folds]
    assert names[0].startswith("0-") and names[-1].endswith(f"-{len(validated) - 1}val")
    again = grouped_folds(pairs)
    assert all(a.train.tolist() == b.train.tolist() for a, b in zip(folds, again, strict=True))


def split(fold):
    return fold.train, fold.val


def test_too_many_groups():
    pairs = Pairs.from_lists([b"a", b"b"], [b"b", b"c"], [0, 0])
    with pytest.raises(VidsimError, match="the 2 pairs allow fewer folds"):
        grouped_folds(pairs, 2)
    with pytest.raises(VidsimError, match="at least 2"):
        grouped_folds(pairs, 1)
