"""tf.data pipelines: their order, their content, and that neither depends on chance."""

import itertools

import numpy as np
import pytest

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.preprocess import pipeline
from vidsim.preprocess.configs import AugmentationConfig
from vidsim.preprocess.corruption import Corruption
from vidsim.preprocess.pipeline import (
    Batches,
    embedding_dataset,
    pair_dataset,
    pretraining_dataset,
    steps_per_epoch,
)

INPUTS = {schema.TOKEN_IDS, schema.TOKEN_MASK, schema.FRAMES, schema.FRAME_MASK}
MLM = {schema.MLM_POSITIONS, schema.MLM_LABELS, schema.MLM_WEIGHTS}


class Recorder:
    """Examples that remember which rows they were asked for, in any order."""

    def __init__(self, examples):
        self._examples = examples
        self.asked = []

    def __getattr__(self, name):
        return getattr(self._examples, name)

    def __len__(self):
        return len(self._examples)

    def batch(self, rows):
        self.asked.append(tuple(rows.tolist()))
        return self._examples.batch(rows)


def elements(dataset):
    return list(dataset.as_numpy_iterator())


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)
        assert found[key].dtype == value.dtype


def rows_of(examples, batches):
    """The row of every video of every batch, recognised by its frames and words."""
    seen = {}
    for row in range(len(examples)):
        video = examples.batch(np.array([row]))
        seen[_print(video, 0)] = row
    assert len(seen) == len(examples)
    return [[seen[_print(batch, i)] for i in range(len(batch["frames"]))] for batch in batches]


def _print(batch, i):
    frames = batch[schema.FRAMES][i][batch[schema.FRAME_MASK][i]]
    return frames.tobytes(), batch[schema.TOKEN_IDS][i][batch[schema.TOKEN_MASK][i]].tobytes()


def test_embedding_in_order_with_a_short_end(examples):
    rows = np.array([7, 3, 3, 0, 21, 39, 1])
    dataset = embedding_dataset(examples, rows, 3)
    assert int(dataset.cardinality()) == 3
    found = elements(dataset)
    assert len(found) == 3
    for batch, part in zip(found, (rows[:3], rows[3:6], rows[6:]), strict=True):
        expected = examples.batch(part)
        assert_same(batch, {key: expected[key] for key in INPUTS})


def test_each_epoch_is_a_permutation(examples):
    """40 videos in batches of 12: 3 batches an epoch, the rest another 4 videos each time."""
    dataset = pretraining_dataset(examples, Batches(12, 9, seed=5))
    assert int(dataset.cardinality()) == 9
    rows = rows_of(examples, elements(dataset))
    epochs = [[*rows[i], *rows[i + 1], *rows[i + 2]] for i in (0, 3, 6)]
    for epoch in epochs:
        assert len(set(epoch)) == 36
        assert epoch != sorted(epoch)
    for one, other in itertools.combinations(epochs, 2):
        assert one != other
        assert set(one) != set(other)


def test_order_is_a_function_of_seed_and_epoch(examples):
    def run(steps, seed):
        return elements(pretraining_dataset(examples, Batches(12, steps, seed)))

    first = run(7, seed=5)
    for found, expected in zip(run(4, seed=5), first, strict=False):
        assert_same(found, expected)
    other = rows_of(examples, run(3, seed=6))
    assert other != rows_of(examples, first[:3])


def test_batches_are_those_of_the_examples(examples):
    for batch in elements(pretraining_dataset(examples, Batches(8, 3, seed=1))):
        (rows,) = rows_of(examples, [batch])
        assert_same(batch, examples.batch(np.array(rows)))


def test_masking_is_a_function_of_seed_and_step(examples):
    plain = elements(pretraining_dataset(examples, Batches(12, 6, seed=5)))
    masked = elements(pretraining_dataset(examples, Batches(12, 6, seed=5), Corruption(0.5)))
    again = elements(pretraining_dataset(examples, Batches(12, 6, seed=5), Corruption(0.5)))
    for before, after, repeated in zip(plain, masked, again, strict=True):
        assert_same(repeated, after)
        assert after.keys() == before.keys() | MLM
        for key in before.keys() - {schema.TOKEN_IDS}:
            np.testing.assert_array_equal(after[key], before[key])
        ids = after[schema.TOKEN_IDS].copy()
        used = np.nonzero(after[schema.MLM_WEIGHTS])
        assert len(used[0])
        ids[used[0], after[schema.MLM_POSITIONS][used]] = after[schema.MLM_LABELS][used]
        np.testing.assert_array_equal(ids, before[schema.TOKEN_IDS])
        assert (after[schema.TOKEN_IDS] != before[schema.TOKEN_IDS]).any()


@pytest.mark.parametrize("first", [1, 3, 5])
def test_a_run_that_goes_on_assembles_what_is_left_and_nothing_else(examples, first):
    """Order, hidden parts and masked words are those of the whole run; 3 batches an epoch."""
    augmentation = AugmentationConfig(word_dropout=0.3, frame_dropout=0.3, modality_dropout=0.3)
    whole = elements(
        pretraining_dataset(examples, Batches(12, 6, 5, augmentation, 2), Corruption(0.5))
    )
    recorder = Recorder(examples)
    rest = pretraining_dataset(recorder, Batches(12, 6, 5, augmentation, 2, first), Corruption(0.5))
    assert int(rest.cardinality()) == 6 - first
    for found, expected in zip(elements(rest), whole[first:], strict=True):
        assert_same(found, expected)
    assert len(recorder.asked) == 6 - first


def test_pairs_that_go_on(examples):
    pairs, sim = np.arange(10).reshape(5, 2), np.linspace(0, 1, 5)
    whole = elements(pair_dataset(examples, pairs, sim, Batches(2, 5, seed=0)))
    rest = elements(pair_dataset(examples, pairs, sim, Batches(2, 5, seed=0, first=3)))
    for found, expected in zip(rest, whole[3:], strict=True):
        assert_same(found, expected)


def test_every_step_draws_anew():
    draws = [Batches(1, 9, seed).rng(step).random() for seed in (0, 1) for step in (0, 1, 2)]
    assert len(set(draws)) == 6
    assert Batches(7, 3, 0).rng(1).random() == draws[1]


def test_pairs(examples):
    pairs = np.array([[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]])
    sim = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    found = elements(pair_dataset(examples, pairs, sim, Batches(2, 4, seed=0)))
    assert len(found) == 4
    seen = []
    for batch in found:
        chosen = (batch[schema.SIM] * 4).astype(int)
        seen.append(set(chosen.tolist()))
        assert batch[schema.SIM].dtype == np.float32
        expected = examples.batch(pairs[chosen].ravel())
        flat = {key: batch[key].reshape(-1, *batch[key].shape[2:]) for key in expected}
        assert_same(flat, expected)
        assert all(value.shape[:2] == (2, 2) for key, value in batch.items() if key != schema.SIM)
    assert len(seen[0] | seen[1]) == len(seen[2] | seen[3]) == 4


def test_batches_of_like_lengths(examples):
    """All 40 videos sorted together: no title is padded past the longest of its own ten."""
    tokens, frames = examples.lengths(np.arange(40)).T
    batches = Batches(10, 4, seed=0, length_pool=4)
    found = elements(pretraining_dataset(examples, batches))
    rows = rows_of(examples, found)
    for batch, asked in zip(found, rows, strict=True):
        assert batch[schema.TOKEN_IDS].shape == (10, tokens[asked].max())
        assert batch[schema.FRAMES].shape[1] == frames[asked].max()
    assert len({row for batch in rows for row in batch}) == 40
    pairs = np.stack([np.arange(0, 20), np.arange(39, 19, -1)], axis=1)
    longest = np.maximum(tokens[pairs[:, 0]], tokens[pairs[:, 1]])
    most = np.maximum(frames[pairs[:, 0]], frames[pairs[:, 1]])
    order = np.lexsort((longest, most // 4)).reshape(2, 10)
    halves = {int(longest[half].max()) for half in order}
    dataset = pair_dataset(examples, pairs, np.zeros(20), batches)
    assert {batch[schema.TOKEN_IDS].shape[2] for batch in elements(dataset)} == halves


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_change_nothing(examples, monkeypatch, workers):
    expected = elements(pretraining_dataset(examples, Batches(12, 6, seed=5), Corruption(0.3)))
    monkeypatch.setattr(pipeline, "_WORKERS", workers)
    recorder = Recorder(examples)
    found = elements(pretraining_dataset(recorder, Batches(12, 6, seed=5), Corruption(0.3)))
    assert len(recorder.asked) == 6  # once a batch, not once a video
    for a, b in zip(found, expected, strict=True):
        assert_same(a, b)


def test_steps_per_epoch():
    assert steps_per_epoch(40, 12, "videos") == 3
    assert steps_per_epoch(12, 12, "videos") == 1
    with pytest.raises(VidsimError, match="--batch-size 13 is more than the 12 videos there are"):
        steps_per_epoch(12, 13, "videos")
