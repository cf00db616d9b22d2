"""Private names of Keras that this package overrides or calls: there, and with these arguments.

A new Keras that renames one would not fail by itself: its own method would run instead of ours.
"""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.layers.batch_norm import BatchNorm
from vidsim.layers.replicas import Replicas, set_replicas
from vidsim.models.task_model import TaskModel
from vidsim.training.apply_if_finite import ApplyIfFinite


@pytest.mark.parametrize(
    ("base", "own", "name", "arguments"),
    [
        (keras.layers.BatchNormalization, BatchNorm, "_moments", ["self", "inputs", "mask"]),
        (keras.Model, TaskModel, "_maybe_symbolic_build", ["self", "iterator", "data_batch"]),
        (keras.Model, TaskModel, "train_step", ["self", "data"]),
        (
            keras.optimizers.MultiOptimizer,
            ApplyIfFinite,
            "apply",
            ["self", "grads", "trainable_variables"],
        ),
    ],
)
def test_what_is_overridden_is_there(base, own, name, arguments):
    assert list(inspect.signature(getattr(base, name)).parameters) == arguments
    assert getattr(own, name) is not getattr(base, name)


def test_what_is_read_is_there():
    optimizer = ApplyIfFinite(keras.optimizers.OptimizerMap(keras.optimizers.AdamW(0.1)))
    variable = keras.Variable(np.ones(2, "float32"))
    optimizer.build([variable])
    assert [v is variable for v in optimizer._trainable_variables] == [True]
    generator = keras.random.SeedGenerator(3)
    assert generator.state.name == "seed_generator_state"
    assert generator.state.numpy().tolist() == [3, 0]


class OtherHalf(Replicas):
    """The sums of two replicas, of which the other has these rows."""

    count = 2

    def __init__(self, rows, mask):
        self.rows, self.mask, self.asked = rows, mask, 0

    def sum(self, values):
        real = self.rows[self.mask]
        self.asked += 1
        if self.asked == 1:
            theirs = [real.sum(axis=0), np.float32(len(real))]
        else:
            theirs = [((real - self.mean) ** 2).sum(axis=0)]
        return [value + other for value, other in zip(values, theirs, strict=True)]


def test_batch_norm_masks_across_replicas():
    """Keras calls our moments, with its mask: two halves are normalised as the whole would be."""
    rng = np.random.default_rng(0)
    x = rng.normal(2, 3, (4, 5, 3)).astype("float32")
    mask = rng.random((4, 5)) < 0.6
    other = OtherHalf(x[2:], mask[2:])
    other.mean = x[mask].mean(axis=0)
    set_replicas(other)
    try:
        layer = BatchNorm(momentum=0.0)
    finally:
        set_replicas(Replicas())
    noise = np.where(mask[:2, :, None], x[:2], 1e3).astype("float32")
    found = ops.convert_to_numpy(layer(noise, training=True, mask=mask[:2]))
    assert other.asked == 2
    mean, variance = x[mask].mean(axis=0), x[mask].var(axis=0)
    expected = (x[:2] - mean) / np.sqrt(variance + layer.epsilon)
    np.testing.assert_allclose(found[mask[:2]], expected[mask[:2]], atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, atol=1e-4)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-4)
