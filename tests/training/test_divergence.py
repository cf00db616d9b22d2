"""Updates that are not finite leave no trace; many in a row end the run."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.models.pair_scorer import PairScorer
from vidsim.objectives.configs import SimilarityConfig, TagConfig
from vidsim.objectives.objective import Objective, build_objectives
from vidsim.preprocess.pipeline import Batches, pair_dataset
from vidsim.training.checkpoint_keeper import CheckpointKeeper
from vidsim.training.configs import OptimizerConfig
from vidsim.training.divergence import MOST_IN_A_ROW, StopOnDivergence
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer
from vidsim.training.training_log import TrainingLog

pytestmark = pytest.mark.slow


class Odd(Objective):
    """A constant; where SIM is 2 its gradient is 0 / 0, where SIM is 3 it is a NaN without one."""

    def __init__(self):
        super().__init__(1.0, name="odd")

    def call(self, outputs, inputs):
        sim, cosine = inputs[schema.SIM], outputs[schema.COSINE]
        steep = ops.sum(ops.sqrt(ops.square(cosine) * 0.0 + ops.where(sim == 2, 0.0, 1.0)))
        return steep + ops.where(sim[0] == 3, float("nan"), 0.0)


def make_trainer(build_smallest, tokenizer, family="mix_nextvlad", jit_compile=False):
    backbone = build_smallest(family, vocab_size=len(tokenizer), encoder_layers=1)
    configs = [SimilarityConfig(kl_weight=0.0), TagConfig(tag_branches=False)]
    objectives = build_objectives(configs, backbone, (*backbone.output_keys, schema.COSINE))
    config = OptimizerConfig(lr=1e-2, bert_lr=1e-2)
    optimizer = build_optimizer(config, backbone, steps=50, planned=50000)
    task = PairScorer(backbone, [*objectives, Odd()])
    return Trainer(task, optimizer, jit_compile=jit_compile)


@pytest.fixture(scope="module")
def trainer(build_smallest, tokenizer):
    return make_trainer(build_smallest, tokenizer)


def fit(trainer, examples, sims, callbacks=()):
    """One update for each of the ratings, which all four pairs of its batch have."""
    for sim in sims:
        rows = np.arange(8).reshape(4, 2)
        batches = Batches(size=4, steps=1, seed=0)
        trainer.fit(pair_dataset(examples, rows, np.full(4, sim), batches), list(callbacks))


def changed(before, after):
    """Names of variables that changed, without the counters and Keras' numbering."""
    names = [name for name, value in before.items() if not np.array_equal(value, after[name])]
    return [name.split(" ", 1)[1] for name in names if "notfinite" not in name]


def counts(trainer):
    task = trainer.task
    return int(task.notfinite_count.numpy()), int(task.total_notfinite.numpy())


@pytest.mark.parametrize("sim", [np.nan, np.inf, 2.0, 3.0], ids=["nan", "inf", "gradient", "value"])
def test_such_an_update_leaves_no_trace(trainer, examples, sim):
    """Weights, moving statistics, moments, steps, dropout's seeds, metrics: all as before."""
    trainer.reset()
    fit(trainer, examples, [0.5])
    before = trainer.state()
    fit(trainer, examples, [sim])
    assert changed(before, trainer.state()) == []
    assert counts(trainer) == (1, 1)
    fit(trainer, examples, [0.5, sim])
    assert counts(trainer) == (1, 2)
    assert len(changed(before, trainer.state())) > 30  # the guard: a sound update changes them


def test_what_follows_is_as_if_it_had_not_been(trainer, examples):
    trainer.reset()
    fit(trainer, examples, [0.5, 0.25])
    expected = trainer.state()
    trainer.reset()
    fit(trainer, examples, [0.5, np.nan, np.nan, 0.25])
    assert changed(expected, trainer.state()) == []


def test_the_same_when_compiled_by_xla(build_smallest, tokenizer, examples):
    trainer = make_trainer(build_smallest, tokenizer, "uniter", jit_compile=True)
    fit(trainer, examples, [0.5])
    before = trainer.state()
    fit(trainer, examples, [np.nan])
    assert changed(before, trainer.state()) == []
    assert counts(trainer) == (1, 1)
    fit(trainer, examples, [0.5])
    assert counts(trainer) == (0, 1)
    assert changed(before, trainer.state()) != []


@pytest.mark.parametrize(
    ("sim", "named"),
    [(np.nan, "had a similarity loss that is not finite"), (2.0, "a gradient that is not finite")],
)
def test_many_in_a_row_end_the_run(trainer, examples, tmp_path, sim, named):
    trainer.reset()
    keeper = CheckpointKeeper(tmp_path, lambda folder, metrics: None)
    keeper.keep(7, {"spearman": 0.5})
    log = TrainingLog(100, 100, 4, [])
    fit(trainer, examples, [0.5, sim, 0.5])
    fit(trainer, examples, [sim] * (MOST_IN_A_ROW - 1), [StopOnDivergence(keeper, log)])
    assert log.history[-1] == {"step": 1, "skipped": MOST_IN_A_ROW}
    with pytest.raises(VidsimError) as error:
        fit(trainer, examples, [sim], [StopOnDivergence(keeper, log, first=30)])
    for words in (named, "stopped at step 31", str(tmp_path / "ckpt-7"), "--lr"):
        assert words in str(error.value)


def test_in_float16_the_loss_scale_is_saved_too(build_smallest, tokenizer):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        trainer = make_trainer(build_smallest, tokenizer)
    finally:
        keras.config.set_dtype_policy("float32")
    assert [name for name in trainer.state() if "dynamic_scale" in name]
