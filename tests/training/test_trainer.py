"""Trained, reset and trained again: the same to the last bit, in one graph."""

import tracemalloc

import numpy as np
import pytest

from vidsim.models.pair_scorer import PairScorer
from vidsim.models.task_model import TaskModel
from vidsim.objectives.configs import SimilarityConfig, TagConfig
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.pipeline import Batches, pair_dataset
from vidsim.schema import COSINE
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer

pytestmark = [pytest.mark.traced, pytest.mark.slow]


class TracedScorer(PairScorer):
    """Counts how often Python runs through its loss: once for each trace of the graph."""

    traces = 0

    def compute_loss(self, *args, **kwargs):
        self.traces += 1
        return super().compute_loss(*args, **kwargs)


@pytest.fixture(scope="module")
def trainer(build_smallest, tokenizer):
    backbone = build_smallest("mix_nextvlad", vocab_size=len(tokenizer), encoder_layers=1)
    configs = [SimilarityConfig(), TagConfig(tag_branches=False)]
    objectives = build_objectives(configs, backbone, (*backbone.output_keys, COSINE))
    optimizer = build_optimizer(
        OptimizerConfig(lr=1e-2, bert_lr=1e-2), backbone, steps=5, planned=5000
    )
    return Trainer(TracedScorer(backbone, objectives), optimizer)


@pytest.fixture(scope="module")
def fit(trainer, examples):
    """`fit(first, steps, seed)`: trains on pairs of videos from `first` on; returns the weights."""

    def run(first=0, steps=3, seed=0):
        rows = np.stack([np.arange(first, first + 10), np.arange(39, 29, -1)], axis=1)
        batches = Batches(size=4, steps=steps, seed=seed)
        trainer.fit(pair_dataset(examples, rows, np.linspace(0, 1, 10), batches), [])
        return [weight.numpy().copy() for weight in trainer.task.backbone.weights]

    return run


def test_reset_restores_everything(trainer, fit):
    """Weights, moving statistics, optimizer, step and dropout's seeds, whatever came in between."""
    variables = [*trainer.task.variables, *trainer.task.optimizer.variables]
    before = [variable.numpy().copy() for variable in variables]
    trainer.reset()
    first = fit()
    fit(first=5, steps=5, seed=1)
    trainer.reset()
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
    second = fit()
    names = [weight.path for weight in trainer.task.backbone.weights]
    for name, a, b in zip(names, first, second, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_training_without_reset_goes_on(trainer, fit):
    """The guard of the test above: another start ends elsewhere, in every kind of weight."""
    trainer.reset()
    first, further = fit(), fit()
    weights = trainer.task.backbone.weights
    same = [w.path for w, a, b in zip(weights, first, further, strict=True) if (a == b).all()]
    assert same == []


def test_several_datasets_share_one_trace(trainer, fit):
    trainer.reset()
    fit(steps=2)
    traces = trainer.task.traces
    assert traces > 0
    fit(first=3, steps=5, seed=2)
    fit(first=7, steps=1, seed=3)
    assert trainer.task.traces == traces
    assert int(trainer.task.optimizer.iterations.numpy()) == 8


def test_memory_is_kept_for_weights_and_only_where_asked(build_smallest):
    """Adam's moments are twice the weights; of zeros, which they begin as, one number is kept."""

    def kept(**flags):
        backbone = build_smallest("uniter", vocab_size=20_000)
        objectives = build_objectives([TagConfig()], backbone, backbone.output_keys)
        optimizer = build_optimizer(OptimizerConfig(), backbone, steps=5, planned=5)
        weights = 4 * backbone.count_params()
        tracemalloc.start()
        try:
            trainer = Trainer(TaskModel(backbone, objectives), optimizer, **flags)
            return trainer, tracemalloc.get_traced_memory()[0] / weights
        finally:
            tracemalloc.stop()

    trainer, share = kept()
    trainer.reset()
    assert 0.9 < share < 1.6
    trainer, share = kept(restartable=False)
    assert share < 0.6
    trainer.reset()  # nothing was done that would have to be undone
    trainer.reset(seed=[42, 1])
    with pytest.raises(ValueError, match="not restartable"):
        trainer.reset()


def test_dropout_can_have_a_seed_of_its_own(trainer, fit):
    """Another pair of numbers, other masks; the same, the same; without, those of the task."""

    def seeds():
        return [v.numpy().tolist() for v in trainer.task.variables if "seed_gen" in v.path]

    def ended(seed=None):
        trainer.reset(seed)
        begun = seeds()
        return begun, fit()

    plain, first, second, again, back = (ended(s) for s in (None, [7, 0], [7, 1], [7, 0], None))
    assert first[0] == again[0] and plain[0] == back[0]
    assert len(first[0]) >= 4
    assert len({tuple(seed) for seed in first[0] + second[0]}) == 2 * len(first[0])
    for one, other, same in ((first, again, True), (plain, back, True), (first, second, False)):
        equal = [np.array_equal(a, b) for a, b in zip(one[1], other[1], strict=True)]
        assert all(equal) if same else not any(equal[:3])
