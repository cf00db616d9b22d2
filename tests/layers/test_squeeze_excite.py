"""The gate: by hand, its weights, and the mistakes it refuses."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.layers.squeeze_excite import SqueezeExcite


def test_by_hand():
    """W1 = (1, -1), W2 = (ln 3, 0): h = (3, 1) gives relu(2), gates sigmoid(2 ln 3) = 0.9 and 1/2.

    h = (1, 3) is silenced by the ReLU: both gates 1/2.
    """
    layer = SqueezeExcite(ratio=2)
    layer.build((None, 2))
    layer.set_weights([np.array([[1], [-1]]), np.array([[np.log(3), 0]])])
    out = layer(np.array([[3, 1], [1, 3]], "float32"))
    np.testing.assert_allclose(ops.convert_to_numpy(out), [[2.7, 0.5], [0.5, 1.5]], rtol=1e-6)


def test_two_matrices_without_bias():
    layer = SqueezeExcite()
    assert layer(np.ones((3, 256), "float32")).shape == (3, 256)
    assert [tuple(w.shape) for w in layer.weights] == [(256, 32), (32, 256)]
    for dense in (layer.squeeze, layer.excite):
        assert isinstance(dense.kernel_initializer, keras.initializers.HeNormal)


def test_ratio_must_divide_the_width():
    with pytest.raises(ValueError, match="ratio 8 does not divide the width 20"):
        SqueezeExcite(ratio=8)(np.ones((1, 20), "float32"))


def test_configuration_and_mixed_precision():
    layer = SqueezeExcite(ratio=4, dtype="mixed_bfloat16")
    again = SqueezeExcite.from_config(layer.get_config())
    assert again.ratio == 4
    out = again(np.ones((2, 8), "float32"))
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    assert {w.dtype for w in again.weights} == {"float32"}
