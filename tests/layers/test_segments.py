"""Segments in one packed sequence: their order, their positions, and back."""

import numpy as np
import pytest
from keras import ops

from vidsim.layers import packing
from vidsim.layers.rotary import rotary_angles
from vidsim.layers.segments import Segment, pack_segments, split

MASKS = np.array([[1, 1], [1, 0]], bool), np.array([[1, 0, 1], [0, 0, 0]], bool)
POSITIONS = np.array([[4, 5], [6, 7]]), np.array([10, 11, 12])


@pytest.fixture
def segments():
    rng = np.random.default_rng(0)
    return [
        Segment(rng.normal(size=(*mask.shape, 8)).astype("float32"), mask, positions)
        for mask, positions in zip(MASKS, POSITIONS, strict=True)
    ]


@pytest.mark.parametrize("by_video", [True, False])
def test_rows_and_angles_belong_together(segments, by_video, monkeypatch):
    """The first video's two tokens and its first and third of the other segment, then one token of
    the second video; positions may differ from video to video, or be the same for all."""
    monkeypatch.setattr(packing, "MULTIPLE", 1)
    if not by_video:
        segments[0] = Segment(segments[0].embedded, segments[0].mask, POSITIONS[0][0])
    a, b = (segment.embedded for segment in segments)
    rows = pack_segments(segments, heads=2, rotary=True)
    expected = [a[0, 0], a[0, 1], b[0, 0], b[0, 2], a[1, 0]]
    real = np.concatenate(MASKS, axis=1).ravel()
    real = slice(None) if len(rows.rows) == len(expected) else real  # JAX packs all positions
    np.testing.assert_array_equal(ops.convert_to_numpy(rows.rows)[real], expected)
    places = np.array([4, 5, 10, 12, 6 if by_video else 4])
    for found, angle in zip(rows.rotary, rotary_angles(places, 4), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(found)[real], angle, rtol=1e-6)
    whole = rows.packing.positions(rows.rows)
    for part, segment in zip(split(whole, segments), segments, strict=True):
        hidden = np.where(segment.mask[:, :, None], segment.embedded, 0)
        found = np.where(segment.mask[:, :, None], ops.convert_to_numpy(part), 0)
        np.testing.assert_array_equal(found, hidden)
    assert pack_segments(segments, heads=2, rotary=False).rotary is None
