"""Match in retrieval: the head that goes with the checkpoint tells right pairs from hard ones."""

from keras import ops

from vidsim import schema
from vidsim.losses.matching import match_loss
from vidsim.objectives.momentum_configs import RetrievalMatchConfig
from vidsim.objectives.objective import Objective


class RetrievalMatchObjective(Objective):
    """Mean cross-entropy of "matches" over pairs, of which a third is right.

    Its logits are the task's own; a row of a batch in which every other row is right for it has no
    wrong pairs.

    Reference: Li et al. 2021, ALBEF (arXiv:2107.07651), equation 5.
    """

    needs = (schema.MATCH_VECTOR,)

    def __init__(self, config: RetrievalMatchConfig) -> None:
        super().__init__(config.match_weight, name="match")

    def call(self, outputs, inputs):
        weights = outputs[schema.MATCH_WEIGHTS]
        losses = match_loss(outputs[schema.MATCH_LABELS], outputs[schema.MATCH_LOGITS])
        return ops.divide_no_nan(ops.sum(weights * losses), ops.sum(weights))

    def count(self, outputs, inputs):
        return ops.sum(outputs[schema.MATCH_WEIGHTS])
