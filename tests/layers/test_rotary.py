"""Rotations: by hand, and that only distances count."""

import numpy as np
import pytest
from keras import ops

from vidsim.layers.rotary import rotary_angles, rotate


def turned(x, positions):
    sin, cos = rotary_angles(np.asarray(positions), x.shape[-1])
    return ops.convert_to_numpy(rotate(ops.convert_to_tensor(x), sin, cos))


def test_by_hand():
    """Size 4: pairs turn by p and p / 100. (1, 0) by p is (cos p, sin p); (0, 1), (-sin, cos)."""
    x = np.tile(np.array([1, 0, 0, 1], "float32"), (3, 1, 1))
    found = turned(x, [0, 1, 50])[:, 0]
    expected = [[np.cos(p), np.sin(p), -np.sin(p / 100), np.cos(p / 100)] for p in (0, 1, 50)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("shift", [1, 7, 31])
def test_scores_depend_on_the_distance_only(shift):
    rng = np.random.default_rng(0)
    query, key = rng.normal(0, 1, (2, 6, 3, 8)).astype("float32")
    positions = np.array([0, 1, 2, 5, 9, 30])

    def scores(offset):
        a, b = turned(query, positions + offset), turned(key, positions + offset)
        return np.einsum("ind,jnd->nij", a, b)

    plain = np.einsum("ind,jnd->nij", query, key)
    np.testing.assert_allclose(scores(shift), scores(0), atol=1e-4)
    assert np.abs(scores(0) - plain).max() > 0.1
    diagonal = np.arange(len(positions))
    np.testing.assert_allclose(  # distance 0 turns nothing
        scores(shift)[..., diagonal, diagonal], plain[..., diagonal, diagonal], atol=1e-4
    )


def test_lengths_stay_and_so_does_the_type():
    x = np.random.default_rng(0).normal(0, 1, (4, 2, 6)).astype("float16")
    found = turned(x, range(4))
    assert found.dtype == np.float16
    norms = [np.linalg.norm(y.astype("float64"), axis=-1) for y in (x, found)]
    np.testing.assert_allclose(*norms, rtol=5e-3)


def test_the_table_is_no_weight(build_smallest):
    """The published system trained it. Rotary positions own nothing, absolute ones a table."""
    kinds = {}
    for positions in ("absolute", "rotary"):
        backbone = build_smallest("uniter", positions=positions, encoder_layers=1)
        kinds[positions] = {weight.path for weight in backbone.weights}
    assert kinds["rotary"] < kinds["absolute"]
    (extra,) = kinds["absolute"] - kinds["rotary"]
    assert extra.endswith("text_encoder/positions/embeddings")
