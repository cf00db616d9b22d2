"""One task, compiled once, trained many times: the folds of a recipe share their graphs."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from vidsim.models.task import Task


class Trainer:
    """Compiles a task and remembers its first state.

    Args:
        task: backbone and objectives, weights created.
        optimizer: not built yet.
    """

    def __init__(self, task: Task, optimizer: keras.Optimizer):
        optimizer.build(task.trainable_variables)
        # XLA undoes oneDNN's bfloat16 kernels on CPU and gains nothing in float32 (measured)
        task.compile(optimizer=optimizer, jit_compile=_has_gpu())
        self.task = task
        self._variables = [*task.variables, *optimizer.variables]
        self._first = [np.array(variable.numpy()) for variable in self._variables]

    def reset(self) -> None:
        """Back to the state before the first update: weights, optimizer, dropout's seeds."""
        for variable, value in zip(self._variables, self._first, strict=True):
            variable.assign(value)

    def fit(self, dataset: Iterable[Any], callbacks: list[keras.callbacks.Callback]) -> None:
        """One pass over a dataset that holds exactly the run's batches."""
        self.task.fit(dataset, epochs=1, verbose=0, shuffle=False, callbacks=callbacks)


def _has_gpu() -> bool:
    return bool(keras.distribution.list_devices("gpu"))
