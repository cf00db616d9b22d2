"""Pairs through one pass: the cosines of both sides embedded apart."""

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.models.pair_scorer import PairScorer, pair_cosine


def test_cosine_by_hand():
    """(3, 4) and (4, 3): 24 / 25. (1, 0) and (-2, 0): -1. With a zero vector: 0."""
    rows = np.array([[3, 4], [4, 3], [1, 0], [-2, 0], [0, 0], [5, 1], [0, 0], [0, 0]], "float32")
    found = ops.convert_to_numpy(pair_cosine(ops.convert_to_tensor(rows)))
    np.testing.assert_allclose(found, [0.96, -1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("family", ["mix_nextvlad", "uniter"])
def test_equals_both_sides_apart(family, build_smallest, make_inputs):
    backbone = build_smallest(family)
    flat = make_inputs((6, 2, 5, 3, 4, 4), (3, 4, 0, 1, 2, 4))
    pairs = {key: value.reshape(3, 2, *value.shape[1:]) for key, value in flat.items()}
    scorer = PairScorer(backbone, [])
    found = scorer(pairs | {schema.SIM: np.zeros(3, "float32")}, training=False)[schema.COSINE]

    sides = []
    for side in (0, 1):
        inputs = {key: value[:, side] for key, value in pairs.items()}
        sides.append(ops.convert_to_numpy(backbone(inputs, training=False)[schema.EMBEDDING]))
    left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    np.testing.assert_allclose(ops.convert_to_numpy(found), (left * right).sum(axis=1), atol=1e-5)


def test_objectives_see_videos_in_the_order_of_the_outputs():
    tags = np.arange(12).reshape(3, 2, 2)
    sim = np.arange(3.0)
    inputs = {schema.TAGS: tags, schema.SIM: sim}
    found = PairScorer.objective_inputs(None, inputs)
    np.testing.assert_array_equal(found[schema.TAGS], tags.reshape(6, 2))
    assert found[schema.SIM] is sim
