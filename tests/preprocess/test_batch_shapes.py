"""Few shapes for many batches: which they are, and that padding to them changes nothing."""

import numpy as np
import pytest

from vidsim import schema
from vidsim.preprocess import chosen_shapes, pipeline
from vidsim.preprocess.batch_shapes import BatchShapes, longest_of_each
from vidsim.preprocess.corruption import Corruption
from vidsim.preprocess.pipeline import Batches, embedding_dataset, pair_dataset, pretraining_dataset

HIDDEN_BY = {
    schema.TOKEN_IDS: schema.TOKEN_MASK,
    schema.FRAMES: schema.FRAME_MASK,
    schema.MLM_POSITIONS: schema.MLM_WEIGHTS,
    schema.MLM_LABELS: schema.MLM_WEIGHTS,
}


def test_shapes_by_hand():
    """Batches (2, 1), (3, 1), (3, 4), (5, 2) by their sums: 3, 4, 7, 7. Two shapes: the longest of
    the first two, and what any batch can need."""
    batches = np.array([[3, 4], [2, 1], [5, 2], [3, 1]])
    assert BatchShapes.of(batches, np.array([6, 4]), 2).sizes == ((3, 1), (6, 4))
    assert BatchShapes.of(batches, np.array([6, 4]), 1).sizes == ((6, 4),)
    four = BatchShapes.of(batches, np.array([6, 4]), 4).sizes
    assert four == ((2, 1), (3, 1), (3, 4), (6, 4))
    assert BatchShapes.of(batches[:1], np.array([3, 4]), 3).sizes == ((3, 4),)
    assert BatchShapes.of(np.zeros((2, 2), int), np.array([2, 0]), 1).sizes == ((2, 1),)


def test_longest_of_each():
    lengths = np.array([[1, 9], [4, 2], [3, 3], [2, 8], [5, 5]])
    np.testing.assert_array_equal(longest_of_each(lengths, 2), [[4, 9], [3, 8], [5, 5]])


@pytest.mark.parametrize(("tokens", "probability"), [(32, 0.15), (16, 0.15), (5, 0.5), (2, 0.15)])
def test_room_for_masked_words(tokens, probability):
    """Of 100,000 titles, none has more words masked; and there is room to spare in long ones."""
    slots = BatchShapes(((tokens, 1),), probability).slots(tokens)
    words = max(tokens - 2, 0)
    masked = np.random.default_rng(0).binomial(words, probability, 100_000)
    assert max(masked.max(), 1) <= slots <= max(words, 1)
    assert tokens < 16 or slots < words


@pytest.fixture
def compiling(monkeypatch):
    """As on JAX; returns batches of a dataset as they are on TensorFlow and as they are there."""

    def both(make):
        plain = list(make().as_numpy_iterator())
        with monkeypatch.context() as patch:
            for module in (pipeline, chosen_shapes):
                patch.setattr(module, "compiles_each_shape", lambda: True)
            return plain, list(make().as_numpy_iterator())

    return both


def shapes(batches):
    return {tuple(value.shape for value in batch.values()) for batch in batches}


def assert_hidden(plain, padded, axis):
    """The same numbers where there were some; masks and weights hide the rest."""
    for key, value in plain.items():
        cut = tuple(slice(size) for size in value.shape)
        np.testing.assert_array_equal(padded[key][cut], value, err_msg=key)
        if key in HIDDEN_BY:
            mask = padded[HIDDEN_BY[key]].astype(bool)
            assert not mask[(slice(None),) * axis + (slice(value.shape[axis], None),)].any()


def test_training_batches(examples, compiling):
    batches = Batches(4, 40, seed=5, length_pool=4)
    plain, padded = compiling(lambda: pretraining_dataset(examples, batches, Corruption(0.3)))
    assert len(shapes(plain)) > 10
    assert len(shapes(padded)) == 1
    for before, after in zip(plain, padded, strict=True):
        assert_hidden(before, after, axis=1)


def test_batches_of_pairs_in_more_shapes_where_there_are_more_updates(
    examples, compiling, monkeypatch
):
    monkeypatch.setattr(chosen_shapes, "_UPDATES_A_SHAPE", 15)
    pairs = np.stack([np.arange(20), np.arange(8, 28)], axis=1)  # of as many frames
    batches = Batches(2, 30, seed=0, length_pool=10)
    plain, padded = compiling(lambda: pair_dataset(examples, pairs, np.zeros(20), batches))
    assert 1 < len(shapes(padded)) <= 3 < len(shapes(plain))
    for before, after in zip(plain, padded, strict=True):
        assert_hidden(before, after, axis=2)


def test_embedded_batches_are_full_and_divisible(examples, compiling):
    """7 of 40 videos by 3, for two devices: by 4, the last video once more at the end."""
    rows = np.array([7, 3, 3, 0, 21, 39, 1])
    plain, padded = compiling(lambda: embedding_dataset(examples, rows, 3, devices=2))
    assert [len(batch[schema.FRAMES]) for batch in plain] == [3, 3, 1]
    assert [len(batch[schema.FRAMES]) for batch in padded] == [4, 4]
    assert len(shapes(padded)) == 1
    flat = np.concatenate([batch[schema.FRAMES] for batch in padded])
    for place, row in enumerate([*rows, rows[-1]]):
        alone = examples.batch(np.array([row]))[schema.FRAMES][0]
        np.testing.assert_array_equal(flat[place, : len(alone)], alone)
        assert not flat[place, len(alone) :].any()
