"""One task, compiled once, trained many times: the folds of a recipe share their graphs."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from vidsim.errors import VidsimError, unwrapped
from vidsim.models.task_model import TaskModel
from vidsim.training.tricks import add_tricks
from vidsim.training.tricks_config import TricksConfig


class Trainer:
    """Compiles a task and, where it will be trained again, remembers its first state.

    Args:
        task: backbone and objectives, weights created.
        optimizer: not built yet.
        restartable: whether `reset` can undo updates. That costs host memory of the weights' size;
            variables whose numbers are all equal at the start, such as the optimizer's moments,
            are kept as one number.
        jit_compile: whether XLA compiles the whole step; default: on JAX only. TensorFlow runs
            batches of any length through one trace, where XLA would compile each length anew; and
            on a CPU it undoes TensorFlow's bfloat16 kernels and gains nothing in float32.
        tricks: an average of the weights and attacks, which the task is given; default: none.

    Attributes:
        fits: how often `fit` was called.
    """

    def __init__(
        self,
        task: TaskModel,
        optimizer: keras.Optimizer,
        restartable: bool = True,
        jit_compile: bool | None = None,
        tricks: TricksConfig | None = None,
    ):
        if tricks is not None:
            add_tricks(task, tricks)
        if jit_compile is None:
            jit_compile = keras.backend.backend() == "jax"
        optimizer.build(task.trainable_variables)
        task.compile(optimizer=optimizer, jit_compile=jit_compile)
        task.optimizer.build(task.trainable_variables)  # in float16 another one wraps it
        self.task = task
        self.fits = 0
        self._touched = False
        self._optimizer = optimizer
        # a by-product of the update: states of before it was reported can still be restored
        self._reported = getattr(optimizer, "gradient_norm", None)
        variables = [*task.variables, *task.optimizer.variables, *task.metrics_variables]
        variables = [variable for variable in variables if variable is not self._reported]
        self._variables = {_name(f"{i} {v.path}"): v for i, v in enumerate(variables)}
        self._first = self._compact_state() if restartable else None

    def state(self) -> dict[str, np.ndarray]:
        """All that an update reads and changes: weights, optimizer, dropout's seeds, metrics."""
        return {name: _copy(variable) for name, variable in self._variables.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes over what `state` gave.

        Raises:
            VidsimError: it is of another task or optimizer.
        """
        state = {_name(name): value for name, value in state.items()}
        if state.keys() != self._variables.keys():
            raise VidsimError(
                f"a saved state has {len(state)} variables and this training {len(self._variables)}"
                ", or others: it is of another version of vidsim; remove it to start the run anew"
            )
        self._touched = True
        for name, variable in self._variables.items():
            variable.assign(state[name])

    def reset(self, seed: Sequence[int] | None = None) -> None:
        """Back to the state before the first update.

        Args:
            seed: dropout's seeds are derived from these numbers (`numpy.random.SeedSequence`), so
                that trainings with other numbers have other masks; default: the task's own seeds.

        Raises:
            ValueError: there were updates, and the trainer is not `restartable`.
        """
        if self._first is not None:
            self.restore(self._first)
            if self._reported is not None:
                self._reported.assign(0.0)
        elif self._touched:
            raise ValueError("a trainer that is not restartable has no first state to go to")
        if seed is not None:
            self._seed_dropout(seed)

    def fit(self, dataset: Iterable[Any], callbacks: list[keras.callbacks.Callback]) -> None:
        """One pass over a dataset that holds exactly the batches still to be trained on.

        Raises:
            VidsimError: a batch could not be read, or a callback raised it.
        """
        self._touched = True
        self.fits += 1
        kept = keras.callbacks.LambdaCallback(on_epoch_begin=_keep(self.task.metrics_variables))
        callbacks = [kept, *callbacks]
        with self.task.backbone.on_its_devices(), unwrapped():
            self.task.fit(dataset, epochs=1, verbose=0, shuffle=False, callbacks=callbacks)

    def weights_to_keep(self) -> contextlib.AbstractContextManager[None]:
        """Within it, the weights are those to validate and to save: averages, where asked for."""
        average = self.task.average
        return contextlib.nullcontext() if average is None else average.shown()

    def about_update(self) -> dict[str, float]:
        """Learning rates and gradient norm of the latest update, if the optimizer reports them."""
        report = getattr(self._optimizer, "report", None)
        return report() if report else {}

    def _seed_dropout(self, seed: Sequence[int]) -> None:
        generators = [v for v in self._variables.values() if v.name == "seed_generator_state"]
        words = np.random.SeedSequence(list(seed)).generate_state(len(generators))
        for variable, word in zip(generators, words, strict=True):
            variable.assign(np.array([word, 0], variable.dtype))
        self._touched = True

    def _compact_state(self) -> dict[str, np.ndarray]:
        return {name: _compact(_copy(variable)) for name, variable in self._variables.items()}


def _name(path: str) -> str:
    """The place and path of a variable without the numbers by which Keras counts in a process.

    Another process, or the same one later, counts from elsewhere.
    """
    return re.sub(r"_[0-9]+(?=/|$)", "", path)


def _keep(variables: list[keras.Variable]) -> Any:
    """Puts back what Keras clears at the start: a run may go on within a window of losses."""
    values = [_copy(variable) for variable in variables]

    def put_back(*_: Any) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    return put_back


def _copy(variable: keras.Variable) -> np.ndarray:
    return np.array(keras.ops.copy(variable.value))


def _compact(value: np.ndarray) -> np.ndarray:
    """The same array, of one number in memory where all its numbers are equal."""
    if value.size and (value == value.flat[0]).all():
        return np.broadcast_to(value.flat[0], value.shape)
    return value
