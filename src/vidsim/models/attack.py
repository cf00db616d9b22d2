"""Adversarial training on the word embeddings: one update from two or more gradients."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from vidsim.layers.numeric import Tensor

if TYPE_CHECKING:
    from vidsim.models.task_model import TaskModel

Step = Callable[..., Any]


class Attack:
    """FGM (one displacement) and PGD (several) of the table of word embeddings.

    The gradient g without displacement gives the first displacement, alpha * g / ||g||, with one
    norm over the whole table. Each further one is added to those before, and the sum is shortened
    to `eps` where it is longer. The gradient under the last displacement is added to g, the table
    is put back, and the optimizer makes one update. A norm that is 0 or not finite displaces
    nothing.

    All passes begin in the same state: the same masks of dropout, and a queue that this batch is
    not in yet. Only what the pass without displacement moves (seeds, moving statistics, queues,
    momentum copies, metrics) stays moved; so the losses shown are those without displacement. An
    update whose summed gradient is not finite is skipped as a whole.

    Args:
        table: the variable that is displaced; a head tied to it sees the displacement too.
        steps: displacements, and so passes more than one: an update takes 1 + steps times as long.
        alpha: norm of one displacement.
        eps: greatest norm of their sum.

    Reference: Miyato et al. 2017 (arXiv:1605.07725) for FGM, with one norm for the table instead of
    one for each text; Madry et al. 2018 (arXiv:1706.06083) for PGD.
    """

    def __init__(self, table: keras.Variable, steps: int, alpha: float, eps: float):
        self.table, self.steps, self.alpha, self.eps = table, steps, alpha, eps

    def displaced(self, displacement: Tensor, gradient: Tensor) -> Tensor:
        """The displacement after one more, of the table's shape."""
        norm = _norm(gradient)
        usable = ops.logical_and(norm > 0, ops.isfinite(norm))
        safe = ops.where(usable, norm, 1.0)
        moved = displacement + self.alpha * ops.where(usable, gradient, 0.0) / safe
        longest = _norm(moved)
        return moved * ops.where(longest > self.eps, self.eps / ops.maximum(longest, 1e-30), 1.0)

    def update(self, task: "TaskModel", step: Step, data: Any) -> None:
        """One update where variables hold their values (TensorFlow).

        Args:
            task: compiled.
            step: a training step of Keras on ``task.optimizer``.
            data: the step's batch.
        """
        weights, moved = task.trainable_variables, task.moved_by_forward_pass()
        place = self._place(weights)
        before = [ops.copy(variable.value) for variable in moved]
        clean = _gradients(task, step, weights, data)
        after = [ops.copy(variable.value) for variable in moved]
        broken = ops.copy(task.notfinite_parts.value)
        words, displacement = ops.copy(self.table.value), ops.zeros_like(self.table.value)
        gradients = clean
        for _ in range(self.steps):
            displacement = self.displaced(displacement, gradients[place])
            _assign(moved, before)
            self.table.assign(words + displacement)
            gradients = _gradients(task, step, weights, data)
            broken = ops.maximum(broken, task.notfinite_parts.value)
        _assign([*moved, self.table, task.notfinite_parts], [*after, words, broken])
        task.optimizer.apply_gradients(zip(_sums(clean, gradients), weights, strict=True))

    def stateless_update(
        self, task: "TaskModel", step: Step, state: tuple[list[Tensor], ...], data: Any
    ) -> tuple[list[Tensor], ...]:
        """The same where variables are values that come and go (JAX): state to new state."""
        weights, others = task.trainable_variables, task.non_trainable_variables
        place = self._place(weights)
        parts = [variable is task.notfinite_parts for variable in others].index(True)
        trained, rest = list(state[0]), state[1:]
        with _collected(task) as collected:
            after = step(state, data)[1]
            clean = gradients = _dense(collected.gradients, weights)
            broken, displacement = after[1][parts], ops.zeros_like(trained[place])
            for _ in range(self.steps):
                displacement = self.displaced(displacement, gradients[place])
                shown = [*trained]
                shown[place] = trained[place] + displacement
                under = step((shown, *rest), data)[1]
                gradients = _dense(collected.gradients, weights)
                broken = ops.maximum(broken, under[1][parts])
        of_optimizer = state[2]
        trained, of_optimizer = task.optimizer.stateless_apply(
            of_optimizer, _sums(clean, gradients), trained
        )
        moved = list(after[1])
        moved[parts] = broken
        return trained, moved, of_optimizer, after[3]

    def _place(self, weights: list[keras.Variable]) -> int:
        return [weight is self.table for weight in weights].index(True)


class _Collected:
    """In the optimizer's place: remembers the gradients and changes nothing."""

    def __init__(self, optimizer: Any):
        self.scale_loss, self._optimizer = optimizer.scale_loss, optimizer
        self.gradients: list[Any] = []

    @property
    def variables(self) -> list[keras.Variable]:
        return self._optimizer.variables

    def apply_gradients(self, pairs: Any) -> None:
        self.gradients = [gradient for gradient, _ in pairs]

    def stateless_apply(self, variables: Any, gradients: Any, trained: Any) -> tuple[Any, Any]:
        self.gradients = list(gradients)
        return trained, variables


@contextlib.contextmanager
def _collected(task: "TaskModel") -> Iterator[_Collected]:
    """Within it, a training step of Keras leaves its gradients and makes no update."""
    attributes: dict[str, Any] = task.__dict__  # not by assignment: Keras would track what it gets
    optimizer = task.optimizer
    collected = attributes["optimizer"] = _Collected(optimizer)
    try:
        yield collected
    finally:
        attributes["optimizer"] = optimizer


def _gradients(task: "TaskModel", step: Step, weights: list[keras.Variable], data: Any) -> list:
    with _collected(task) as collected:
        step(data)
        return _dense(collected.gradients, weights)


def _dense(gradients: list[Any], weights: list[keras.Variable]) -> list[Any]:
    """TensorFlow's gradient of a table has a row for each look-up, which a reshape adds up."""
    return [
        None if gradient is None else ops.reshape(gradient, weight.shape)
        for gradient, weight in zip(gradients, weights, strict=True)
    ]


def _sums(clean: list[Any], attacked: list[Any]) -> list[Any]:
    pairs = zip(clean, attacked, strict=True)
    return [None if one is None else one + other for one, other in pairs]


def _assign(variables: list[keras.Variable], values: list[Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _norm(x: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(ops.cast(x, "float32"))))
