"""Rows of different lengths, against plain loops."""

import numpy as np
import pytest

from vidsim.preprocess.ragged import Ragged

LISTS = ([3, 1, 4], [], [1], [5, 9, 2, 6, 5], [], [3])


@pytest.fixture
def ragged():
    return Ragged.from_lists(LISTS)


@pytest.mark.parametrize("rows", [[0, 1, 2], [3, 3, 1, 0], [5], [1, 4], [4, 3, 2, 1, 0]])
def test_pad_equals_loops(ragged, rows):
    lists = [LISTS[row] for row in rows]
    length = max(1, *map(len, lists), 0)
    values, mask = ragged.pad(np.array(rows), fill=-7)
    assert values.dtype == np.int32
    assert values.tolist() == [row + [-7] * (length - len(row)) for row in lists]
    assert mask.tolist() == [[i < len(row) for i in range(length)] for row in lists]


@pytest.mark.parametrize("rows", [[0, 1, 2], [3, 3, 1, 0], [1, 4]])
def test_multi_hot_equals_loops(ragged, rows):
    expected = [[int(i in LISTS[row]) for i in range(10)] for row in rows]
    hot = ragged.multi_hot(np.array(rows), 10)
    assert hot.dtype == np.uint8
    assert hot.tolist() == expected


def test_lengths(ragged):
    assert len(ragged) == len(LISTS)
    assert ragged.lengths(np.array([3, 1, 0])).tolist() == [5, 0, 3]


def test_no_rows():
    values, mask = Ragged.from_lists([]).pad(np.zeros(0, int))
    assert values.shape == mask.shape == (0, 1)


def test_concat_is_all_rows_in_order():
    parts = [Ragged.from_lists(LISTS[:2]), Ragged.from_lists([]), Ragged.from_lists(LISTS[2:])]
    values, mask = Ragged.concat(parts).pad(np.arange(len(LISTS)))
    assert [row[real].tolist() for row, real in zip(values, mask, strict=True)] == list(LISTS)
