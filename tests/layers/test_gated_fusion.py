"""Text and frames fused, against its parts."""

import numpy as np
from keras import ops

from vidsim.layers.gated_fusion import GatedFusion


def test_equals_its_parts():
    layer = GatedFusion(4, dropout=0.5, se_ratio=2)
    rng = np.random.default_rng(0)
    vision, text = rng.normal(size=(3, 5)), rng.normal(size=(3, 2)) * 3
    vision, text = vision.astype("float32"), text.astype("float32")
    found = ops.convert_to_numpy(layer(vision, text, training=False))
    kernel, bias = layer.project.kernel.numpy(), layer.project.bias.numpy()
    projected = np.maximum(np.concatenate([vision, text], axis=1) @ kernel + bias, 0)
    expected = ops.convert_to_numpy(layer.squeeze_excite(projected))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found >= 0).all()
    assert (found > 0).any()
    assert (found != projected).any()


def test_half_precision_text_beside_float32_vision():
    layer = GatedFusion(4, se_ratio=2)
    found = layer(np.ones((2, 3), "float32"), ops.cast(np.ones((2, 3)), "bfloat16"))
    assert found.dtype == "float32"
