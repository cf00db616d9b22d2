"""Pretraining in one forward pass: words and vectors that the host chose are hidden from the model.

Words are masked in TOKEN_IDS already. Vectors are hidden here, because the objectives need them as
they were.
"""

from collections.abc import Mapping
from typing import Any

from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.models.task_model import TaskModel

_HIDDEN = {  # what is hidden, in the first of these streams that there is
    schema.FRAMES_HIDDEN: (schema.REGIONS, schema.FRAMES),
    schema.ACTIONS_HIDDEN: (schema.ACTIONS,),
}


class Pretrainer(TaskModel):
    """A backbone with its objectives; it sees zeros where FRAMES_HIDDEN or ACTIONS_HIDDEN is True.

    FRAMES_HIDDEN is about regions where the model reads some. Actions that a model makes of frames
    it hides itself.

    Inputs: as the backbone's, and those of `preprocess.corruption` that the objectives read.
    """

    def __init__(self, *args: Any, name: str = "task_model", **kwargs: Any):
        # TensorFlow's graph optimizer orders sums by such names: of another one, the last bits of a
        # training differ
        super().__init__(*args, name=name, **kwargs)

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        return self.backbone(with_hidden(inputs), training=training)


def with_hidden(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inputs with zeros in the place of the vectors that are to be hidden."""
    shown = dict(inputs)
    for hidden, streams in _HIDDEN.items():
        there = [name for name in streams if name in inputs]
        if hidden in inputs and there:
            x = inputs[there[0]]
            mask = ops.cast(inputs[hidden], "bool")[:, :, None]
            shown[there[0]] = ops.where(mask, ops.zeros_like(x), x)
    return shown
