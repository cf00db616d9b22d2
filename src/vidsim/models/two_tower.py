"""Retrieval: sentences and videos, each embedded alone, through one forward pass of a backbone."""

from collections.abc import Mapping

from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.models.task_model import TaskModel

_BY_PAIR = (schema.VIDEO_ROW,)


class TwoTower(TaskModel):
    """Trains a backbone on sentences and the videos they describe.

    Inputs as the backbone's, with an axis of the two sides after the batch axis: side 0 is a
    sentence without frames, side 1 a video without words: token_ids (B, 2, L),
    frames (B, 2, T, d), ..., and VIDEO_ROW (B,).

    One pass over all 2B rows means that batch normalisation sees both sides together. Adds
    TEXT_EMBEDDING (B, D) and VIDEO_EMBEDDING (B, D) to the backbone's outputs.

    Reference: Radford et al. 2021, CLIP (arXiv:2103.00020), for the two towers; here they share
    what the family shares between its modalities.
    """

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        outputs = self.backbone(self.objective_inputs(inputs), training=training)
        embedding = outputs[schema.EMBEDDING]
        sides = ops.reshape(embedding, (-1, 2, embedding.shape[-1]))
        return outputs | {
            schema.TEXT_EMBEDDING: sides[:, 0],
            schema.VIDEO_EMBEDDING: sides[:, 1],
        }

    def objective_inputs(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Merges the axis of sides into the batch axis: (B, 2, ...) -> (2B, ...)."""
        return {
            key: value if key in _BY_PAIR else ops.reshape(value, (-1, *ops.shape(value)[2:]))
            for key, value in inputs.items()
        }
