"""An exponential moving average of the trained weights, kept beside them."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from vidsim.layers.numeric import Tensor

if TYPE_CHECKING:
    from vidsim.models.task_model import TaskModel


class WeightAverage:
    """After every update made: average = decay * average + (1 - decay) * weight.

    It begins as the weights are now; there is no correction of its start and no warm-up. It is
    state of the TaskModel: saved with the training state, and as it was after a skipped update.
    Moving statistics of batch normalisation are no trained weights and are not averaged.

    Args:
        task: its trainable weights are averaged, float32, as many numbers again.
        decay: share of the old average, below 1.

    Reference: Polyak and Juditsky 1992; Tarvainen and Valpola 2017 (arXiv:1703.01780).
    """

    def __init__(self, task: "TaskModel", decay: float):
        self.decay = decay
        self.weights = list(task.trainable_variables)
        self.averages = [
            task.add_state(f"average_{place}", weight.shape)
            for place, weight in enumerate(self.weights)
        ]
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.assign(np.array(ops.copy(weight.value), "float32"))  # JAX: no shared buffer

    def update(self, made: Tensor) -> None:
        """Follows the weights where an update was made.

        Args:
            made: () bool.
        """
        for average, weight in zip(self.averages, self.weights, strict=True):
            new = self.decay * average + (1 - self.decay) * ops.cast(weight, "float32")
            average.assign(ops.where(made, new, average.value))

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Within it, the weights are their averages; afterwards what they were, to the last bit."""
        raw = [np.array(ops.copy(weight.value)) for weight in self.weights]
        try:
            for weight, average in zip(self.weights, self.averages, strict=True):
                weight.assign(ops.copy(average.value))
            yield
        finally:
            for weight, value in zip(self.weights, raw, strict=True):
                weight.assign(value)
