"""Text and frames fused, against its parts."""

import numpy as np
import pytest
from keras import ops

from vidsim.layers.gated_fusion import GatedFusion


def standardized(x):
    """LayerNorm as it starts: scale 1, offset 0, Keras' epsilon."""
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-3)


@pytest.mark.parametrize("norm", [True, False])
def test_equals_its_parts(norm):
    layer = GatedFusion(4, dropout=0.5, se_ratio=2, norm=norm)
    rng = np.random.default_rng(0)
    vision, text = rng.normal(size=(3, 5)), rng.normal(size=(3, 2)) * 3
    vision, text = vision.astype("float32"), text.astype("float32")
    found = ops.convert_to_numpy(layer(vision, text, training=False))
    if norm:
        vision, text = standardized(vision), standardized(text)
    kernel, bias = layer.project.kernel.numpy(), layer.project.bias.numpy()
    projected = np.maximum(np.concatenate([vision, text], axis=1) @ kernel + bias, 0)
    expected = ops.convert_to_numpy(layer.squeeze_excite(projected))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found >= 0).all()
    assert (found > 0).any()
    assert (found != projected).any()


def test_a_loud_title_does_not_drown_the_frames():
    """With the norms, a title a hundred times as large changes nothing."""
    layer = GatedFusion(4, se_ratio=2)
    rng = np.random.default_rng(1)
    vision, text = rng.normal(size=(3, 5)) * 9, rng.normal(size=(3, 6)) * 9
    found, louder = layer(vision, text), layer(vision, text * 100)
    np.testing.assert_allclose(louder, found, atol=1e-3)


def test_half_precision_text_beside_float32_vision():
    layer = GatedFusion(4, se_ratio=2)
    found = layer(np.ones((2, 3), "float32"), ops.cast(np.ones((2, 3)), "bfloat16"))
    assert found.dtype == "float32"
