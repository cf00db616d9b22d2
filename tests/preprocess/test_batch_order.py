"""Random order, batches of like lengths, nothing lost or given twice."""

import itertools

import numpy as np
import pytest

from vidsim.preprocess.batch_order import batches_of_epoch, batches_of_run


@pytest.fixture
def lengths():
    """(1000, 2) tokens and frames."""
    rng = np.random.default_rng(3)
    return np.stack([rng.integers(4, 33, 1000), rng.integers(1, 33, 1000)], axis=1)


@pytest.mark.parametrize("pool", [1, 4, 16, 1000])
def test_every_example_once(lengths, pool):
    """1,000 in batches of 48: 20 batches, 40 examples left out."""
    batches = batches_of_epoch(lengths, 48, pool, np.random.default_rng(0))
    assert batches.shape == (20, 48)
    assert len(np.unique(batches)) == 960


def test_a_pool_of_everything_sorts(lengths):
    """Then each batch's titles and frames lie between its neighbours', in the order of lexsort."""
    batches = batches_of_epoch(lengths[:960], 48, 20, np.random.default_rng(0))
    stretch = [tuple(sorted(zip(*lengths[rows][:, ::-1].T, strict=True))) for rows in batches]
    keys = [[(frames // 4, tokens) for frames, tokens in batch] for batch in stretch]
    in_order = sorted(keys, key=lambda batch: min(batch))
    for before, after in itertools.pairwise(in_order):
        assert max(before) <= min(after)
    assert keys != in_order  # the batches themselves come in random order


def test_padding(lengths):
    """Places a batch takes up, as a multiple of those that are real; the titles alone vary."""
    titles = np.stack([lengths[:, 0], np.full(1000, 32)], axis=1)

    def waste(pool):
        batches = batches_of_epoch(titles, 20, pool, np.random.default_rng(0))
        used = titles[batches, 0]
        return (used.max(axis=1) * 20).sum() / used.sum()

    assert waste(1) > 1.6  # mean 18, longest nearly always 32
    assert waste(16) < 1.1


def test_no_pool_is_a_permutation(lengths):
    batches = batches_of_epoch(lengths, 10, 1, np.random.default_rng(7))
    np.testing.assert_array_equal(batches.ravel(), np.random.default_rng(7).permutation(1000))


def test_a_run_goes_on_at_any_step(lengths):
    """At an epoch's beginning, in its middle, at its end: what is left, batch for batch."""
    whole = list(batches_of_run(lengths, 100, 25, 4, seed=2))
    for first in (0, 1, 9, 10, 17, 24, 25):
        rest = list(batches_of_run(lengths, 100, 25, 4, 2, first))
        assert [step for step, _ in rest] == list(range(first, 25))
        for (_, rows), (_, expected) in zip(rest, whole[first:], strict=True):
            np.testing.assert_array_equal(rows, expected)


def test_a_run_is_a_function_of_its_arguments(lengths):
    """And of nothing else: a longer run starts as a shorter one does; epochs and seeds differ."""

    def run(steps, seed=0):
        return list(batches_of_run(lengths, 100, steps, 4, seed))

    long = run(25)
    for (step, rows), (expected, same) in zip(run(13), long, strict=False):
        assert step == expected
        np.testing.assert_array_equal(rows, same)
    assert [step for step, _ in long] == list(range(25))
    first, second = (np.stack([rows for _, rows in long[i : i + 10]]) for i in (0, 10))
    assert len(np.unique(first)) == len(np.unique(second)) == 1000
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[0], run(1, seed=1)[0][1])
