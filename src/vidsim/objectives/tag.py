"""Tags: a multi-label loss on the embedding's classifier (and on each branch's, in pretraining)."""

from keras import ops

from vidsim import schema
from vidsim.losses.asymmetric import asymmetric
from vidsim.losses.tag import binary_cross_entropy
from vidsim.objectives.configs import TagConfig
from vidsim.objectives.objective import Objective, rows


class TagObjective(Objective):
    """Mean over videos of the tag loss, mixed logits plus (optionally) each branch's.

    Rows that are not MATCHED are left out: their text and streams are of two videos, and TAGS are
    those of one. 0 where no row is left.
    """

    needs = (schema.TAG_LOGITS,)

    def __init__(self, config: TagConfig):
        super().__init__(config.tag_weight, name="tag")
        self.config = config

    def call(self, outputs, inputs):
        labels = inputs[schema.TAGS]  # (B, C)
        loss = self._loss(labels, outputs[schema.TAG_LOGITS])
        if self.config.tag_branches and schema.BRANCH_LOGITS in outputs:
            branches = outputs[schema.BRANCH_LOGITS]
            for k in range(branches.shape[0]):
                loss = loss + self._loss(labels, branches[k])
        if schema.MATCHED not in inputs:
            return ops.mean(loss)
        matched = ops.cast(inputs[schema.MATCHED], loss.dtype)  # (B,)
        return ops.divide_no_nan(ops.sum(matched * loss), ops.sum(matched))

    def count(self, outputs, inputs):
        if schema.MATCHED not in inputs:
            return rows(outputs[schema.TAG_LOGITS])
        return ops.sum(ops.cast(inputs[schema.MATCHED], "float32"))

    def _loss(self, labels, logits):
        if self.config.tag_loss == "bce":
            return binary_cross_entropy(labels, logits)
        config = self.config
        return asymmetric(
            labels, logits, config.asl_gamma_pos, config.asl_gamma_neg, config.asl_clip
        )
