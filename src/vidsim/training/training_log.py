"""Collects what a run reports: one window of losses at a time, handed to whoever listens."""

import time
from collections.abc import Callable

import keras

Listener = Callable[[int, dict[str, float]], None]


class TrainingLog(keras.callbacks.Callback):
    """Every ``every`` updates, hands the mean of each loss over that window to the listeners.

    Args:
        every: updates in a window.
        total: updates in the run.
        examples: videos or pairs in one update.
        first: updates done before, where the run goes on.
        listeners: called with (updates done, values). Values are ``loss``, each part of it by
            name and times its weight, what ``about_update`` gives, ``examples_per_s`` and
            ``seconds_left``.
        about_update: gives more values of the latest update.
    """

    def __init__(
        self,
        every: int,
        total: int,
        examples: int,
        listeners: list[Listener],
        first: int = 0,
        about_update: Callable[[], dict[str, float]] = dict,
    ):
        super().__init__()
        self.every, self.total, self.examples, self.first = every, total, examples, first
        self.listeners, self.about_update = listeners, about_update
        self.history: list[dict[str, float]] = []

    def on_train_begin(self, logs=None):
        self._window_began = time.perf_counter()
        self._window_step = self.first

    def on_train_batch_end(self, batch, logs=None):
        done = self.first + batch + 1
        if done % self.every and done != self.total:
            return
        values = {name: float(value) for name, value in (logs or {}).items()}
        self.model.reset_metrics()
        values |= self.about_update()
        now = time.perf_counter()
        rate = (done - self._window_step) / (now - self._window_began)
        values["examples_per_s"] = rate * self.examples
        values["seconds_left"] = (self.total - done) / rate
        self._window_began, self._window_step = now, done
        self.report(done, values)

    def report(self, done: int, values: dict[str, float]) -> None:
        """Keeps the values and hands them on; validation reports through here too."""
        self.history.append({"step": done, **values})
        for listener in self.listeners:
            listener(done, values)
