"""What training adds to a backbone: objectives, and the bookkeeping of their values."""

from collections.abc import Sequence

import keras

from vidsim.models.backbone import Backbone
from vidsim.objectives.objective import Objective


class Task(keras.Model):
    """A backbone with weighted objectives. ``fit`` reports the total and each part by its name.

    Args:
        backbone: the model to be trained; it goes on alone afterwards.
        objectives: terms of the loss, from ``build_objectives``.

    The inputs are a dict of the backbone's inputs and whatever the objectives read besides.
    """

    def __init__(self, backbone: Backbone, objectives: Sequence[Objective], **kwargs):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.objectives = list(objectives)
        self.parts = [keras.metrics.Mean(name=objective.name) for objective in objectives]
        self.built = True  # the backbone's and the objectives' weights exist already

    def call(self, inputs, training=None):
        return self.backbone(inputs, training=training)

    def objective_inputs(self, inputs):
        """The inputs as the objectives see them, row for row with the backbone's outputs."""
        return inputs

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        inputs, total = self.objective_inputs(x), 0.0
        for objective, part in zip(self.objectives, self.parts, strict=True):
            value = objective(y_pred, inputs)
            part.update_state(value)
            total = total + objective.weight * value
        return total
