"""Which pairs each fold trains on and validates, in which order.

The published folds are one shuffle cut into pieces; they are kept to the letter, so that a score
on fold 3 here is a score on the same pairs as everywhere. They split pairs, not videos, so most
validation videos are seen in training, and a pair that is rated twice may stand on both sides:
`seen_videos` and `seen_pairs` count them, `grouped_folds` avoids both.
"""

import itertools
import random

import numpy as np

from vidsim.config import PUBLISHED_FOLDS
from vidsim.errors import VidsimError
from vidsim.records.fold import Fold
from vidsim.records.pairs import Pairs, pair_keys

PUBLISHED_SIZE = 6000  # validation pairs of a published fold
PUBLISHED_SEED = 42


def published_folds(
    n_pairs: int,
    num_folds: int = PUBLISHED_FOLDS,
    fold_size: int | None = None,
    seed: int = PUBLISHED_SEED,
) -> list[Fold]:
    """Cut one shuffle of the pairs into folds, as published.

    One random state shuffles all pairs and then the training part of each fold in turn, so fold i
    is the same whatever comes after it.

    Args:
        n_pairs: number of rated pairs; they are known by their row in label.tsv.
        num_folds: number of folds.
        fold_size: validation pairs of each fold. None: 6000 for 11 folds of 66,000 pairs or more,
            which leaves the last pairs out of every validation as published; otherwise all pairs
            are divided evenly.
        seed: of the random state; 42 as published.

    Raises:
        VidsimError: there are too few pairs for that.
    """
    if fold_size is None and num_folds == PUBLISHED_FOLDS:
        fold_size = PUBLISHED_SIZE if n_pairs >= PUBLISHED_FOLDS * PUBLISHED_SIZE else None
    bounds = _bounds(n_pairs, num_folds, fold_size)
    rng = random.Random(seed)
    order = list(range(n_pairs))
    rng.shuffle(order)
    folds = []
    for index, (first, end) in enumerate(itertools.pairwise(bounds)):
        train = order[:first] + order[end:]
        rng.shuffle(train)
        val = np.array(order[first:end], np.int64)
        folds.append(Fold(index, _name(first, end), np.array(train, np.int64), val))
    return folds


def grouped_folds(
    pairs: Pairs, num_folds: int = PUBLISHED_FOLDS, seed: int = PUBLISHED_SEED
) -> list[Fold]:
    """Folds in which no video of a validation pair is in any training pair of that fold.

    The videos are divided into groups, one per fold. A fold validates the pairs that lie within
    its group and trains on those that do not touch it; a pair of two groups is in no validation
    and is dropped from the training of two folds.

    Raises:
        VidsimError: a fold would have no pair to validate or to train on.
    """
    if num_folds < 2:
        raise VidsimError(f"{num_folds} folds by video; at least 2 are needed")
    video = _video_numbers(pairs)  # (N, 2)
    from vidsim.records.video_groups import group_videos  # SciPy takes a while to load

    group = group_videos(video, num_folds)[video]  # (N, 2)
    rng = random.Random(seed)
    order = list(range(len(pairs)))
    rng.shuffle(order)
    group, rows = group[order], np.array(order, np.int64)
    folds, first = [], 0
    for index in range(num_folds):
        touches = (group == index).sum(axis=1)  # how many of a pair's two videos
        val, train = rows[touches == 2], rows[touches == 0].tolist()
        if not len(val) or not train:
            raise VidsimError(
                f"grouped fold {index} of {num_folds} would have {len(train)} training and "
                f"{len(val)} validation pairs; the {len(pairs)} pairs allow fewer folds"
            )
        rng.shuffle(train)
        name = _name(first, first + len(val))
        dropped = int((touches == 1).sum())
        folds.append(Fold(index, name, np.array(train, np.int64), val, dropped))
        first += len(val)
    return folds


def seen_videos(train: Pairs, val: Pairs) -> tuple[int, int]:
    """How far a validation part is known from training.

    Returns:
        The number of different videos in `val`, and how many of them are in `train` too.
    """
    known = train.videos()
    videos = val.videos()
    return len(videos), int(np.isin(videos, known).sum())


def seen_pairs(train: Pairs, val: Pairs) -> int:
    """How many validation pairs are training pairs too, either video first.

    They are pairs that label.tsv rates more than once. A score on them says little about pairs
    that the model has not seen.
    """
    known = set(pair_keys(train))
    return sum(key in known for key in pair_keys(val))


def _bounds(n_pairs: int, num_folds: int, fold_size: int | None) -> list[int]:
    """The positions at which the shuffled pairs are cut: num_folds + 1 of them."""
    if fold_size is None:
        bounds = [i * n_pairs // num_folds for i in range(num_folds + 1)] if num_folds > 0 else []
    else:
        bounds = [i * fold_size for i in range(num_folds + 1)]
    sizes = [end - first for first, end in itertools.pairwise(bounds)]
    if not sizes or min(sizes) < 1 or bounds[-1] > n_pairs or max(sizes) == n_pairs:
        size = "equal parts" if fold_size is None else f"{fold_size} validation pairs each"
        raise VidsimError(
            f"{n_pairs} pairs cannot make {num_folds} folds of {size} with something left to "
            "train on; choose --num-folds and --fold-size to fit"
        )
    return bounds


def _name(first: int, end: int) -> str:
    return f"{first}-{end - 1}val"


def _video_numbers(pairs: Pairs) -> np.ndarray:
    """(N, 2) int64: each video as a number from 0, in the order of the sorted ids."""
    both = np.concatenate((pairs.id_1, pairs.id_2))
    return np.unique(both, return_inverse=True)[1].reshape(2, -1).T
