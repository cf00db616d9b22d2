"""Validates a run while it trains, and keeps the checkpoint when that is worth it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import keras

from vidsim.training.checkpoint_keeper import CheckpointKeeper
from vidsim.training.training_log import TrainingLog


class Evaluator(Protocol):
    """What a run is validated by: no arguments, a dict of metrics; knows nothing of trainers.

    Attributes:
        primary_metric: the key that decides which checkpoint is the best.
        greater_is_better: whether the best is the greatest or the smallest. NaN is never the best.
    """

    primary_metric: str
    greater_is_better: bool

    def __call__(self) -> dict[str, float]:
        """Metrics of the current weights, numbers of any kind."""
        ...


_TITLES = {"spearman": "Spearman"}


def metric_title(name: str) -> str:
    """A metric's name as a sentence has it."""
    return _TITLES.get(name, name)


class Validation(keras.callbacks.Callback):
    """Evaluates every ``every`` updates and after the last one.

    Args:
        evaluate: gives the metrics.
        every: updates between validations.
        total: updates in the run.
        keeper: stores best and last.
        log: told the metrics, named ``val_...``.
        first: updates done before, where the run goes on.
        weights: within it, the weights are those to validate and to save.
    """

    def __init__(
        self,
        evaluate: Evaluator,
        every: int,
        total: int,
        keeper: CheckpointKeeper,
        log: TrainingLog,
        first: int = 0,
        weights: Callable[[], AbstractContextManager[None]] = nullcontext,
    ):
        super().__init__()
        self.weights = weights
        self.evaluate, self.every, self.total = evaluate, every, total
        self.keeper, self.log, self.first = keeper, log, first

    def on_train_batch_end(self, batch, logs=None):
        done = self.first + batch + 1
        if done % self.every and done != self.total:
            return
        _ = self.model  # Keras gives the variables their values then (JAX)
        with self.weights():
            metrics = {name: _number(value) for name, value in self.evaluate().items()}
            self.keeper.keep(done, metrics)
        self.log.report(done, {f"val_{name}": value for name, value in metrics.items()})


def _number(value: Any) -> float:
    """A number that JSON writes as one, whatever kind of number or tensor came."""
    value = value if isinstance(value, (int, float)) else keras.ops.convert_to_numpy(value).item()
    return value if isinstance(value, int) else float(value)
