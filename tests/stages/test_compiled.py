"""The update that XLA compiles is the optimizer's own, and is not made where it must not be."""

import types

import keras
import numpy as np
import tensorflow as tf

from vidsim.stages.compiled import compiled
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer


def path(gradients, **flags):
    """Weights of encoder and head after each gradient, (steps, 2, 3)."""
    weights = []
    for scope in ("text_encoder", "head"):
        with keras.name_scope(scope):
            weights.append(keras.Variable(np.ones(3, "float32"), name="kernel"))
    model = types.SimpleNamespace(encoder_variables=lambda: weights[:1])
    optimizer = build_optimizer(OptimizerConfig(lr=0.1, bert_lr=0.01), model, 10, 10, **flags)
    optimizer.build(weights)
    apply = tf.function(lambda grads: optimizer.apply(grads, weights))
    seen = []
    for gradient in gradients:
        apply([tf.constant(gradient, tf.float32)] * 2)
        seen.append([weight.numpy() for weight in weights])
    return np.array(seen)


def test_it_is_the_same_update():
    gradients = np.random.default_rng(0).normal(size=(5, 3))
    found = path(gradients, compiled=compiled)
    np.testing.assert_allclose(found, path(gradients), rtol=1e-6)
    assert (np.abs(np.diff(found, axis=0)) > 0).all()


def test_a_gradient_that_is_not_finite_changes_nothing():
    found = path([[1, 2, 3], [1, np.nan, 3], [1, 2, 3]], compiled=compiled)
    np.testing.assert_array_equal(found[1], found[0])
    assert (found[2] != found[1]).all()
