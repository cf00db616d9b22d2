"""Saves the training state while a run goes on."""

import time

import keras

from vidsim.training.checkpoint_keeper import CheckpointKeeper
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.stop_request import StopRequest
from vidsim.training.trainer import Trainer
from vidsim.training.training_log import TrainingLog
from vidsim.training.training_state import TrainingState


class StateSaver(keras.callbacks.Callback):
    """Saves after every validation, and after an update when ``seconds`` have passed.

    Comes after the callbacks whose work the state describes. Older checkpoints are removed once a
    state is there that does not name them.

    Args:
        states: where states go.
        every: seconds between two of them.
        first: what the run began with.
        trainer: gives the variables.
        keeper: gives best and last checkpoint.
        log: gives the history.
        stop: asked after each update whether the run is to stop; the state is saved before.

    Raises (after an update):
        Interrupted: it is.
    """

    def __init__(
        self,
        states: StateKeeper,
        every: float,
        first: TrainingState,
        trainer: Trainer,
        keeper: CheckpointKeeper,
        log: TrainingLog,
        stop: StopRequest,
    ):
        super().__init__()
        self.states, self.every, self.first = states, every, first
        self.trainer, self.keeper, self.log, self.stop = trainer, keeper, log, stop
        self._began = self._saved = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time spent on the run, before it was interrupted too."""
        return self.first.seconds + time.perf_counter() - self._began

    def on_train_batch_end(self, batch, logs=None):
        done = self.first.step + batch + 1
        last = self.keeper.last
        validated = last is not None and last["step"] == done
        is_due = time.perf_counter() - self._saved >= self.every
        if validated or is_due or self.stop.asked:
            self._save(done)
        self.stop.check(done)

    def _save(self, done: int) -> None:
        state = TrainingState(
            step=done,
            best=self.keeper.best,
            last=self.keeper.last,
            judged_by=self.keeper.judged_by,
            history=self.log.history,
            seconds=self.seconds,
            variables=self.trainer.state(),
        )
        self.states.keep(state)
        self.keeper.publish()
        self._saved = time.perf_counter()
