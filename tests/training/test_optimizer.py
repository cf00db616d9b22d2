"""Two learning rates, one step at a time. Which variable is in which group: test_six_recipes."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.models.class_scorer import ClassHead
from vidsim.models.two_tower import Towers
from vidsim.objectives.configs import RetrievalLossConfig
from vidsim.objectives.momentum_configs import MomentumContrastConfig
from vidsim.objectives.momentum_contrast import MomentumContrastObjective
from vidsim.objectives.retrieval import RetrievalObjective
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer

PLAIN = {"weight_decay": 0.0, "clip_norm": 0.0, "warmup_steps": 0, "bert_warmup_steps": 0}


class Weights:
    """A weight of the encoder and one of the rest, as the optimizer knows them: by their paths."""

    def __init__(self, value=1.0, shape=(2,), name="kernel"):
        with keras.name_scope("model"):
            with keras.name_scope("text_encoder"):
                self.encoder = self._variable(value, shape, name)
            with keras.name_scope("head"):
                self.rest = self._variable(value, shape, name)

    def _variable(self, value, shape, name):
        return keras.Variable(np.full(shape, value, "float32"), name=name)

    def encoder_variables(self):
        return [self.encoder]

    def steps(self, optimizer, *gradients):
        """[(encoder, rest)] after each step, their first number; gradients are (encoder, rest)."""
        optimizer.build([self.encoder, self.rest])
        path = []
        for pair in gradients:
            both = zip(pair, (self.encoder, self.rest), strict=True)
            optimizer.apply([ops.full_like(variable, gradient) for gradient, variable in both])
            path.append([self.encoder.numpy()[0], self.rest.numpy()[0]])
        return np.array(path)


def test_each_group_follows_its_own_schedule():
    """A constant gradient moves Adam by the learning rate. Encoder: warm-up 2 of 4 steps to 0.2,
    so 0.1, 0.2, 0.2, 0.1; rest: 0.04 and down: 0.04, 0.03, 0.02, 0.01."""
    config = OptimizerConfig(**PLAIN | {"lr": 0.04, "bert_lr": 0.2, "bert_warmup_steps": 2})
    weights = Weights()
    path = weights.steps(build_optimizer(config, weights, 4, planned=4), *[(0.5, 0.5)] * 4)
    np.testing.assert_allclose(path[:, 0], [0.9, 0.7, 0.5, 0.4], rtol=1e-4)
    np.testing.assert_allclose(path[:, 1], [0.96, 0.93, 0.91, 0.90], rtol=1e-4)


def test_a_cosine_is_followed_by_both_groups():
    """4 steps from 0.4 and 0.2: (1 + cos(pi s / 4)) / 2 = 1, 0.8536, 0.5, 0.1464 of them."""
    config = OptimizerConfig(**PLAIN | {"lr": 0.4, "bert_lr": 0.2, "schedule": "cosine"})
    weights = Weights()
    path = weights.steps(build_optimizer(config, weights, 4, planned=4), *[(0.5, 0.5)] * 4)
    fallen = np.cumsum([1, 0.853553, 0.5, 0.146447])
    np.testing.assert_allclose(path, 1 - np.outer(fallen, [0.2, 0.4]), atol=2e-5)


def test_a_shorter_run_keeps_the_share_of_warmup():
    """1000 of 4000 planned steps are a quarter: of 4 steps one, at the peak; then three down."""
    config = OptimizerConfig(**PLAIN | {"lr": 0.3, "warmup_steps": 1000})
    weights = Weights()
    path = weights.steps(build_optimizer(config, weights, 4, planned=4000), *[(0, 1)] * 4)
    np.testing.assert_allclose(path[:, 1], [0.7, 0.4, 0.2, 0.1], atol=1e-4)


def test_minimum_lr_is_the_end_of_both():
    config = OptimizerConfig(**PLAIN | {"lr": 0.3, "bert_lr": 0.2, "minimum_lr": 0.1})
    weights = Weights()
    path = weights.steps(build_optimizer(config, weights, 1, planned=1), *[(1, 1)] * 2)
    np.testing.assert_allclose(path[1] - path[0], [-0.1, -0.1], rtol=1e-4)


@pytest.mark.parametrize("name", ["kernel", "bias", "gamma", "beta", "type"])
def test_weight_decay_spares_biases_and_norms(name):
    """Without a gradient a matrix shrinks by lr x decay of itself: 2 - 2 x 0.1 x 0.5 = 1.9."""
    config = OptimizerConfig(**PLAIN | {"lr": 0.1, "bert_lr": 0.1, "weight_decay": 0.5})
    weights = Weights(2.0, name=name)
    path = weights.steps(build_optimizer(config, weights, 10**6, planned=10**6), (0, 0))
    np.testing.assert_allclose(path[0], [1.9, 1.9] if name == "kernel" else [2, 2], rtol=1e-5)


def test_each_group_is_clipped_by_its_own_norm():
    """Gradients (300, 300) and (0.3, 0.4 ...): the first is cut to norm 1, the second is not.

    Adam forgets sizes, so a second, small step tells: after a clipped first one it weighs more.
    First moments after g1, g2: 0.9 x 0.1 g1 + 0.1 g2; second: 0.999 x 0.001 g1^2 + 0.001 g2^2.
    """

    def second_step(g1, g2):
        m = (0.09 * g1 + 0.1 * g2) / (1 - 0.9**2)
        v = (0.000999 * g1**2 + 0.001 * g2**2) / (1 - 0.999**2)
        return -0.1 * m / np.sqrt(v)

    config = OptimizerConfig(**PLAIN | {"lr": 0.1, "bert_lr": 0.1, "clip_norm": 1.0})
    weights = Weights()
    optimizer = build_optimizer(config, weights, 10**6, planned=10**6)
    path = weights.steps(optimizer, (300, 0.3), (0.2, 0.2))
    clipped = 1 / np.sqrt(2)  # of the two numbers of the weight
    found = path[1] - path[0]
    np.testing.assert_allclose(found, [second_step(clipped, 0.2), second_step(0.3, 0.2)], rtol=1e-4)
    assert abs(second_step(clipped, 0.2) - second_step(300, 0.2)) > 1e-3


def test_clipping_goes_by_the_norm_of_a_gradient_that_is_added_up():
    """An embedding looked up three times in one row: that row's gradient is (3, 3), its norm 3 √2,
    whatever TensorFlow keeps of the three. Adam's mean of it is a tenth of what clipping left."""
    import tensorflow as tf

    weights = Weights(shape=(4, 2))
    config = OptimizerConfig(**PLAIN | {"clip_norm": 1.0})
    optimizer = build_optimizer(config, weights, 4, planned=4)
    optimizer.build([weights.encoder, weights.rest])
    sparse = tf.IndexedSlices(tf.ones((3, 2)), tf.constant([1, 1, 1]), tf.constant([4, 2]))
    optimizer.apply([sparse, tf.ones((4, 2))])
    (mean,) = [v for v in optimizer.variables if "momentum" in v.path and "encoder" in v.path]
    np.testing.assert_allclose(mean.numpy()[1], 0.1 / 2**0.5, rtol=1e-5)
    np.testing.assert_array_equal(mean.numpy()[[0, 2, 3]], 0)


@pytest.mark.parametrize("family", ["uniter", "mix_nextvlad"])
def test_which_weights_of_a_model_are_decayed(family, build_smallest):
    """Without a gradient, matrices and tables shrink: no type vector, no norm."""
    backbone = build_smallest(family)
    variables = backbone.trainable_variables
    config = OptimizerConfig(**PLAIN | {"lr": 0.1, "bert_lr": 0.1, "weight_decay": 0.5})
    optimizer = build_optimizer(config, backbone, 10**6, planned=10**6)
    optimizer.build(variables)
    before = [variable.numpy().copy() for variable in variables]
    optimizer.apply([ops.zeros_like(variable) for variable in variables])
    shrunk, kept = set(), set()
    for variable, value in zip(variables, before, strict=True):
        assert np.abs(value).max() > 0, variable.path
        same = np.array_equal(variable.numpy(), value)
        (kept if same else shrunk).add(variable.name)
        if not same:
            np.testing.assert_allclose(variable.numpy(), 0.95 * value, rtol=1e-4)
    own = {"uniter": {"type"}, "mix_nextvlad": set()}[family]
    assert kept == {"bias", "gamma", "beta"} | own
    assert shrunk == {"kernel", "embeddings"} | ({"centres"} if family == "mix_nextvlad" else set())


def test_learned_numbers_are_not_decayed():
    """Temperatures, and the shares of what stands beside an embedding."""
    temperature = RetrievalObjective(RetrievalLossConfig())
    momentum = MomentumContrastObjective(MomentumContrastConfig())
    numbers = [
        *(v for objective in (temperature, momentum) for v in objective.trainable_variables),
        *Towers(4, 3, 0.0, skip=(2, 2)).shares,
        ClassHead(3, 4, means=(2, 2)).share,
    ]
    assert len(numbers) == 5 and all(number.shape == () for number in numbers)
    for share in numbers[2:]:  # which begin at 0
        share.assign(0.5)
    before = [float(number) for number in numbers]
    config = OptimizerConfig(**PLAIN | {"lr": 0.1, "weight_decay": 0.5})
    no_encoder = SimpleNamespace(encoder_variables=list)
    optimizer = build_optimizer(config, no_encoder, 10, planned=10)
    optimizer.build(numbers)
    optimizer.apply([ops.zeros_like(number) for number in numbers])
    assert [float(number) for number in numbers] == before


def test_the_latest_update_is_reported():
    """Warm-up over 2 of 4 updates to 0.2, so 0.1 and 0.2; the rest falls from 0.04 to 0.03. The
    norm of gradients (3, 3) and (4, 4), clipped or not, is √(9 + 9 + 16 + 16) = √50; an update
    that is not made is not reported."""
    config = OptimizerConfig(**PLAIN | {"lr": 0.04, "bert_lr": 0.2, "bert_warmup_steps": 2})
    weights = Weights()
    optimizer = build_optimizer(config, weights, 4, planned=4)
    weights.steps(optimizer, (1, 1))
    assert optimizer.report() == pytest.approx({"lr": 0.04, "bert_lr": 0.1, "gradient_norm": 2})
    weights.steps(optimizer, (3, 4), (np.nan, 1))
    expected = {"lr": 0.03, "bert_lr": 0.2, "gradient_norm": 50**0.5}
    assert optimizer.report() == pytest.approx(expected)
