"""An objective: one named, weighted term of a training loss."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.numeric import Tensor
from vidsim.objectives.configs import ObjectiveConfig


class Objective(keras.layers.Layer):
    """Turns a backbone's outputs and a batch's inputs into one scalar.

    A layer, because some objectives own weights (the masked-word head); those are trained with the
    backbone and stay behind when the backbone moves on.

    Where several replicas share a batch, an objective is given the whole batch by default, which
    every replica then computes. One that is a mean over rows says over how many by `count`: each
    replica computes its own rows, and only two numbers are added up over the replicas.

    Args:
        weight: factor of this term in the total loss.
        name: the name it is logged under.

    Attributes:
        needs: keys of the backbone's outputs that it reads.
        note: one sentence on what a reader of the log may find odd; told once in a run.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    note: str = ""

    def __init__(self, weight: float, name: str, **kwargs):
        super().__init__(name=name, dtype="float32", autocast=False, **kwargs)
        self.weight = weight

    def call(self, outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> Tensor:
        """The unweighted term, a float32 scalar: a mean, never a sum, over the batch."""
        raise NotImplementedError

    def count(self, outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> Tensor | None:
        """How many rows, pairs or words the term is a mean over; a float32 scalar.

        To be given only if the term times this number, added up over any parts of a batch, is that
        of the whole batch. None, the default: rows are compared with each other, or may be.
        """
        return None


def rows(x: Tensor) -> Tensor:
    """The number of rows of a tensor (B, ...) as a float32 scalar."""
    return ops.cast(ops.shape(x)[0], "float32")


def _because(missing: list[str], backbone) -> str:
    """Why, where it is for the data and not for the family."""
    spec, match = backbone.spec, schema.MATCH_VECTOR
    causes = (
        (spec.num_labels, (schema.TAG_LOGITS, schema.BRANCH_LOGITS), "tags"),
        (spec.has_text, (schema.TEXT_VECTOR, schema.HIDDEN_STATES, match), "text"),
        (spec.frame_size, (schema.VISION_VECTORS, schema.FRAME_STATES, match), "frames"),
    )
    absent = [what for there, keys, what in causes if not there and {*keys} & {*missing}]
    return f" to data without {' and '.join(absent)}" if absent else ""


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
                f"{backbone.config.family} does not give{_because(missing, backbone)}; set its "
                "weight to 0"
            )
    return objectives
