"""Ends a run that no longer trains, with what a user needs to know to start a better one."""

import keras
import numpy as np

from vidsim.errors import VidsimError
from vidsim.training.checkpoint_keeper import CheckpointKeeper
from vidsim.training.training_log import TrainingLog

MOST_IN_A_ROW = 20  # float16 may need some fifteen until its loss scale fits


class StopOnDivergence(keras.callbacks.Callback):
    """Reports skipped updates, and raises when ``MOST_IN_A_ROW`` of them came without one between.

    Args:
        keeper: names the last good checkpoint.
        log: told how many updates were skipped so far, whenever it is one more.
        first: updates done before, where the run goes on.
    """

    def __init__(self, keeper: CheckpointKeeper, log: TrainingLog, first: int = 0):
        super().__init__()
        self.keeper, self.log, self.first = keeper, log, first

    def on_train_batch_end(self, batch, logs=None):
        in_a_row, done = int(self.model.notfinite_count.numpy()), self.first + batch + 1
        if not in_a_row:
            return
        self.log.report(done, {"skipped": float(self.model.total_notfinite.numpy())})
        if in_a_row >= MOST_IN_A_ROW:
            raise VidsimError(self._message(done, in_a_row))

    def _message(self, done: int, in_a_row: int) -> str:
        parts = np.flatnonzero(self.model.notfinite_parts.numpy())
        names = [self.model.objectives[part].name for part in parts]
        what = f"a {' and a '.join(names)} loss that is" if names else "a gradient that is"
        last = self.keeper.last
        kept = (
            f"the last good checkpoint is {self.keeper.run_dir / last['folder']}"
            if last
            else "no checkpoint was saved before"
        )
        return (
            f"stopped at step {done}: {in_a_row} updates in a row had {what} not finite; {kept}. "
            "Lower --lr and --bert-lr"
        )
