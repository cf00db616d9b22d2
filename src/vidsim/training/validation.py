"""Validates a run while it trains, and keeps the checkpoint when that is worth it."""

from collections.abc import Callable

import keras

from vidsim.training.checkpoint_keeper import CheckpointKeeper
from vidsim.training.training_log import TrainingLog


class Validation(keras.callbacks.Callback):
    """Evaluates every ``every`` updates and after the last one.

    Args:
        evaluate: an evaluator: no arguments, a dict of metrics.
        every: updates between validations.
        total: updates in the run.
        keeper: stores best and last.
        log: told the metrics, named ``val_...``.
        first: updates done before, where the run goes on.
    """

    def __init__(
        self,
        evaluate: Callable[[], dict[str, float]],
        every: int,
        total: int,
        keeper: CheckpointKeeper,
        log: TrainingLog,
        first: int = 0,
    ):
        super().__init__()
        self.evaluate, self.every, self.total = evaluate, every, total
        self.keeper, self.log, self.first = keeper, log, first

    def on_train_batch_end(self, batch, logs=None):
        done = self.first + batch + 1
        if done % self.every and done != self.total:
            return
        metrics = self.evaluate()
        self.keeper.keep(done, metrics)
        self.log.report(done, {f"val_{name}": value for name, value in metrics.items()})
