"""What training adds to a backbone: objectives, and the bookkeeping of their values."""

from collections.abc import Sequence

import keras
from keras import ops

from vidsim.models.backbone import Backbone
from vidsim.objectives.objective import Objective


class Task(keras.Model):
    """A backbone with weighted objectives. ``fit`` reports the total and each part by its name.

    An update whose loss or gradient is not finite is not made: the optimizer skips it, and what the
    forward pass alone has moved (moving statistics, dropout's seeds, metrics) is put back.

    Args:
        backbone: the model to be trained; it goes on alone afterwards.
        objectives: terms of the loss, from ``build_objectives``.

    Attributes:
        notfinite_count: updates skipped in a row, up to now.
        total_notfinite: updates skipped so far.
        notfinite_parts: (objectives,) 1 for each part of the latest loss that was not finite.

    The inputs are a dict of the backbone's inputs and whatever the objectives read besides.
    """

    def __init__(self, backbone: Backbone, objectives: Sequence[Objective], **kwargs):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.objectives = list(objectives)
        self.parts = [keras.metrics.Mean(name=objective.name) for objective in objectives]
        self.notfinite_count = self._counter("notfinite_count", ())
        self.total_notfinite = self._counter("total_notfinite", ())
        self.notfinite_parts = self._counter("notfinite_parts", (len(objectives),))
        self.built = True  # the backbone's and the objectives' weights exist already

    def call(self, inputs, training=None):
        return self.backbone(inputs, training=training)

    def objective_inputs(self, inputs):
        """The inputs as the objectives see them, row for row with the backbone's outputs."""
        return inputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        inputs, total, broken = self.objective_inputs(x), 0.0, []
        for objective, part in zip(self.objectives, self.parts, strict=True):
            value = objective(y_pred, inputs)
            part.update_state(value)
            broken.append(ops.logical_not(ops.isfinite(value)))
            total = total + objective.weight * value
        self.notfinite_parts.assign(ops.cast(ops.stack(broken), "int64"))
        # with a loss that is not finite no gradient is, not even one that the NaN passed by
        return total * ops.stop_gradient(ops.where(ops.isfinite(total), 1.0, float("nan")))

    def train_step(self, data):
        """One update, or none."""
        moved = [*self.backbone.non_trainable_variables, *self.metrics_variables]
        before = [ops.copy(variable) for variable in moved]
        updates = ops.copy(self.optimizer.iterations)
        super().train_step(data)
        made = self.optimizer.iterations > updates
        for variable, value in zip(moved, before, strict=True):
            variable.assign(ops.where(made, variable, value))
        skipped = ops.cast(ops.logical_not(made), "int64")
        self.notfinite_count.assign((self.notfinite_count + 1) * skipped)
        self.total_notfinite.assign_add(skipped)
        return self.get_metrics_result()

    def _counter(self, name, shape):
        return self.add_weight(
            name=name, shape=shape, dtype="int64", initializer="zeros", trainable=False
        )
