"""Finetuning on rated pairs: both videos of every pair through one forward pass."""

from keras import ops

from vidsim import schema
from vidsim.layers.numeric import l2_normalize
from vidsim.models.task_model import TaskModel

_BY_PAIR = (schema.SIM,)


class PairScorer(TaskModel):
    """Trains a backbone on pairs.

    Inputs as the backbone's, with a pair axis after the batch axis: token_ids (B, 2, L),
    frames (B, 2, T, 1536), tags (B, 2, C), ..., and SIM (B,).

    One pass over all 2B videos means that batch normalisation sees both sides together. Adds
    COSINE (B,) to the backbone's outputs.
    """

    def call(self, inputs, training=None):
        outputs = self.backbone(self.objective_inputs(inputs), training=training)
        return outputs | {schema.COSINE: pair_cosine(outputs[schema.EMBEDDING])}

    def objective_inputs(self, inputs):
        """Merges the pair axis into the batch axis: (B, 2, ...) -> (2B, ...)."""
        return {
            key: value if key in _BY_PAIR else ops.reshape(value, (-1, *ops.shape(value)[2:]))
            for key, value in inputs.items()
        }


def pair_cosine(embeddings):
    """Cosine of neighbouring rows: (2B, D) -> (B,). A zero vector has cosine 0 with anything."""
    pairs = ops.reshape(l2_normalize(embeddings), (-1, 2, embeddings.shape[-1]))
    return ops.sum(pairs[:, 0] * pairs[:, 1], axis=-1)
