"""An objective: one named, weighted term of a training loss."""

from typing import Any, ClassVar

import keras

from vidsim.errors import VidsimError
from vidsim.objectives.configs import ObjectiveConfig


class Objective(keras.layers.Layer):
    """Turns a backbone's outputs and a batch's inputs into one scalar.

    A layer, because some objectives own weights (the masked-word head); those are trained with the
    backbone and stay behind when the backbone moves on.

    Args:
        weight: factor of this term in the total loss.
        name: the name it is logged under.
    """

    needs: ClassVar[tuple[str, ...]] = ()  # keys of the backbone's outputs

    def __init__(self, weight: float, name: str, **kwargs):
        super().__init__(name=name, dtype="float32", autocast=False, **kwargs)
        self.weight = weight

    def call(self, outputs: dict[str, Any], inputs: dict[str, Any]):
        """The unweighted term, a float32 scalar: a mean, never a sum, over the batch."""
        raise NotImplementedError


def build_objectives(configs: list[ObjectiveConfig], backbone, available) -> list[Objective]:
    """Builds every objective whose weight is not 0.

    Args:
        configs: the objectives' configurations.
        backbone: the model to be trained.
        available: keys that backbone or task put into their outputs.

    Raises:
        VidsimError: an objective needs an output that this family does not give.
    """
    objectives = [config.build(backbone) for config in configs if config.weight]
    if not objectives:
        raise VidsimError("nothing to train: every loss weight is 0")
    for objective in objectives:
        missing = sorted(set(objective.needs) - set(available))
        if missing:
            raise VidsimError(
                f"the {objective.name} loss needs {', '.join(missing)}, which the family "
                f"{backbone.config.family} does not give; set its weight to 0"
            )
    return objectives
