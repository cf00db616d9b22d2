"""One task, compiled once, trained many times: the folds of a recipe share their graphs."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from vidsim.errors import VidsimError
from vidsim.models.task import Task


class Trainer:
    """Compiles a task and remembers its first state.

    Args:
        task: backbone and objectives, weights created.
        optimizer: not built yet.
        jit_compile: whether XLA compiles the whole step; default: on JAX only. TensorFlow runs
            batches of any length through one trace, where XLA would compile each length anew; and
            on a CPU it undoes TensorFlow's bfloat16 kernels and gains nothing in float32.
    """

    def __init__(self, task: Task, optimizer: keras.Optimizer, jit_compile: bool | None = None):
        if jit_compile is None:
            jit_compile = keras.backend.backend() == "jax"
        optimizer.build(task.trainable_variables)
        task.compile(optimizer=optimizer, jit_compile=jit_compile)
        task.optimizer.build(task.trainable_variables)  # in float16 another one wraps it
        self.task = task
        variables = [*task.variables, *task.optimizer.variables, *task.metrics_variables]
        self._variables = {f"{i} {variable.path}": variable for i, variable in enumerate(variables)}
        self._first = self.state()

    def state(self) -> dict[str, np.ndarray]:
        """All that an update reads and changes: weights, optimizer, dropout's seeds, metrics."""
        return {name: _copy(variable) for name, variable in self._variables.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes over what `state` gave.

        Raises:
            VidsimError: it is of another task or optimizer.
        """
        if state.keys() != self._variables.keys():
            raise VidsimError(
                f"a saved state has {len(state)} variables and this training {len(self._variables)}"
                ", or others: it is of another version of vidsim; remove it to start the run anew"
            )
        for name, variable in self._variables.items():
            variable.assign(state[name])

    def reset(self) -> None:
        """Back to the state before the first update."""
        self.restore(self._first)

    def fit(self, dataset: Iterable[Any], callbacks: list[keras.callbacks.Callback]) -> None:
        """One pass over a dataset that holds exactly the batches still to be trained on."""
        kept = keras.callbacks.LambdaCallback(on_epoch_begin=_keep(self.task.metrics_variables))
        self.task.fit(dataset, epochs=1, verbose=0, shuffle=False, callbacks=[kept, *callbacks])


def _keep(variables: list[keras.Variable]) -> Any:
    """Puts back what Keras clears at the start: a run may go on within a window of losses."""
    values = [_copy(variable) for variable in variables]

    def put_back(*_: Any) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    return put_back


def _copy(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.copy(variable.value))
