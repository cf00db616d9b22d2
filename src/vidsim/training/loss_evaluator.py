"""A training's own loss on examples that it is not trained on."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from vidsim.errors import unwrapped
from vidsim.models.task_model import TaskModel


class LossEvaluator:
    """An `Evaluator`: the weighted objectives of a TaskModel, without dropout, and their sum.

    Args:
        task: the model in training; its metrics and its state are left as they are.
        dataset: gives the same whole batches each time.
    """

    primary_metric = "loss"
    greater_is_better = False

    def __init__(self, task: TaskModel, dataset: Callable[[], Any]):
        self._names = [objective.name for objective in task.objectives]
        self._model, self._dataset = _Losses(task), dataset
        self._backbone = task.backbone

    def __call__(self) -> dict[str, float]:
        """By "loss", and by each objective's name its part, times its weight: batches' means."""
        with self._backbone.on_its_devices(), unwrapped():
            values = np.asarray(self._model.predict(self._dataset(), verbose=0), np.float64)
        parts = dict(zip(self._names, values.mean(axis=0).tolist(), strict=True))
        return {"loss": float(sum(parts.values())), **parts}


class _Losses(keras.Model):
    """A batch -> (1, objectives): one row a batch."""

    def __init__(self, task: TaskModel):
        super().__init__(name="losses")
        self._task = task
        self.built = True

    def call(self, inputs: Any) -> Any:
        outputs = self._task(inputs, training=False)
        inputs = self._task.objective_inputs(inputs)
        values = [item.weight * item(outputs, inputs) for item in self._task.objectives]
        return ops.expand_dims(ops.stack([ops.cast(value, "float32") for value in values]), 0)
