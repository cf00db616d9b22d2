"""Frames as tokens, by hand."""

import numpy as np
from keras import ops

from vidsim.layers.frame_embedding import FrameEmbedding


def test_by_hand():
    """(1, 2) -> ReLU (1, -3 -> 0) + type (1, 2) = (2, 2) -> norm (0, 0) * gamma + beta (5, 6).

    (2, 1) -> ReLU (2, -3 -> 0) + type = (3, 2): mean 2.5, deviation 0.5 -> (1, -1) * (2, 3) + beta.
    """
    layer = FrameEmbedding(2, dropout=0.5, layer_norm_eps=1e-9)
    layer.build((None, None, 2))
    layer.project.kernel.assign([[1, -1], [0, -1]])
    layer.type.assign([1, 2])
    layer.norm.gamma.assign([2, 3])
    layer.norm.beta.assign([5, 6])
    frames = np.array([[[1, 2], [2, 1]]], "float16")
    found = layer(frames, training=False)
    assert found.dtype == "float32"
    np.testing.assert_allclose(ops.convert_to_numpy(found), [[[5, 6], [7, 3]]], atol=1e-5)


def test_feature_dropout_hides_the_same_numbers_in_all_frames_of_a_video():
    """An identity projection shows what came through: 0 or, at rate 0.5, twice what went in."""
    size = 64
    layer = FrameEmbedding(size, dropout=0.0, layer_norm_eps=1e-9, feature_dropout=0.5)
    layer.build((None, None, size))
    layer.project.kernel.assign(np.eye(size))
    layer.norm = lambda x: x
    found = ops.convert_to_numpy(layer(np.ones((2, 3, size), "float16"), training=True))
    assert set(np.unique(found)) == {0.0, 2.0}
    np.testing.assert_array_equal(found, np.broadcast_to(found[:, :1], found.shape))
    assert (found[0] != found[1]).any()
