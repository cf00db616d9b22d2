"""Packed rows against plain loops: every real position has its row, and gradients find back."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from vidsim.layers import packing as packing_module
from vidsim.layers.packing import EveryPosition, RealPositions, pack

HEADS, SIZE = 2, 3
WIDTH = HEADS * SIZE
MASK = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 1]], bool)
REAL = [(0, 0), (0, 1), (2, 0), (2, 2), (2, 3)]


@pytest.fixture(autouse=True)
def no_padding_makes_up_the_number(monkeypatch):
    monkeypatch.setattr(packing_module, "MULTIPLE", 1)


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def split(vector):
    """(N * H,) -> N pieces of H."""
    return [vector[n * SIZE : (n + 1) * SIZE] for n in range(HEADS)]


@pytest.fixture(params=[RealPositions, EveryPosition])
def kind(request):
    return request.param


@pytest.fixture
def places(kind):
    """The position of every row."""
    return REAL if kind is RealPositions else list(np.ndindex(MASK.shape))


def test_rows_are_the_positions_one_after_another(kind, places):
    x = numbers(*MASK.shape, WIDTH)
    found = ops.convert_to_numpy(kind(MASK, HEADS).rows(x))
    np.testing.assert_array_equal(found, [x[place] for place in places])


def test_positions_undo_rows(kind, places):
    rows = numbers(len(places), WIDTH)
    expected = np.zeros((*MASK.shape, WIDTH))
    for row, place in zip(rows, places, strict=True):
        expected[place] = row
    found = ops.convert_to_numpy(kind(MASK, HEADS).positions(rows))
    np.testing.assert_array_equal(found, expected)


def test_heads_are_split_and_merged(kind, places):
    rows = numbers(len(places), WIDTH)
    expected = np.zeros((len(MASK), HEADS, MASK.shape[1], SIZE))
    for row, (video, position) in zip(rows, places, strict=True):
        for head, piece in enumerate(split(row)):
            expected[video, head, position] = piece
    packing = kind(MASK, HEADS)
    found = packing.split_heads(rows)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), expected)
    np.testing.assert_array_equal(ops.convert_to_numpy(packing.merge_heads(found)), rows)


WAYS = {  # and the shape that each takes
    "rows": (*MASK.shape, WIDTH),
    "positions": (len(REAL), WIDTH),
    "split_heads": (len(REAL), WIDTH),
    "merge_heads": (len(MASK), HEADS, MASK.shape[1], SIZE),
}
BACK = {"rows": "positions", "split_heads": "merge_heads"}
BACK |= {back: way for way, back in BACK.items()}


@pytest.mark.parametrize("name", WAYS)
def test_the_gradient_of_a_way_is_the_way_back(name):
    """All are linear and pick numbers: d <w, way(x)> / dx has each w at its number's place."""
    packing = RealPositions(MASK, HEADS)
    way, back = getattr(packing, name), getattr(packing, BACK[name])
    x = tf.constant(numbers(*WAYS[name]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = way(x)
        weights = numbers(*y.shape) + 1
        loss = tf.reduce_sum(y * weights)
    expected = ops.convert_to_numpy(back(tf.constant(weights)))
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), expected)


@pytest.mark.parametrize("mask", [np.zeros((2, 3), bool), np.ones((2, 3), bool)])
def test_nothing_real_and_everything_real(mask):
    packing = RealPositions(mask, HEADS)
    x = numbers(2, 3, WIDTH)
    rows = packing.rows(x)
    assert ops.shape(rows) == (mask.sum(), WIDTH)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(packing.positions(rows)), np.where(mask[..., None], x, 0)
    )
    heads = packing.split_heads(rows)
    assert ops.shape(packing.merge_heads(heads)) == (mask.sum(), WIDTH)


@pytest.mark.parametrize(
    ("multiple", "places"),
    [
        (2, [*REAL[:2], (0, 2), *REAL[2:]]),
        (5, REAL),
        (7, [*REAL[:2], (0, 2), (0, 3), *REAL[2:]]),
        (10, [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), *REAL[2:]]),
        (32, list(np.ndindex(MASK.shape))),
    ],
)
def test_the_first_padding_makes_up_the_number(monkeypatch, multiple, places):
    monkeypatch.setattr(packing_module, "MULTIPLE", multiple)
    packing, x = RealPositions(MASK, HEADS), numbers(*MASK.shape, WIDTH)
    rows = packing.rows(x)
    np.testing.assert_array_equal(ops.convert_to_numpy(rows), [x[place] for place in places])
    back = ops.convert_to_numpy(packing.merge_heads(packing.split_heads(rows)))
    np.testing.assert_array_equal(back, rows)


def test_tensorflow_has_no_rows_for_padding():
    """However many there are: one trace for all batches."""
    traces = []

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.bool)])
    def count(mask):
        traces.append(mask)
        return tf.shape(pack(mask, HEADS).rows(tf.zeros((*ops.shape(mask), WIDTH))))[0]

    longer = np.pad(MASK, [(0, 2), (0, 9)])
    assert [int(count(mask)) for mask in (MASK, longer, MASK[:1])] == [5, 5, 2]
    assert len(traces) == 1
