"""Match with hard wrong pairs, which the model itself picks: labels and weights are its outputs."""

from keras import ops

from vidsim import schema
from vidsim.losses.matching import match_loss
from vidsim.objectives.match import MatchObjective
from vidsim.objectives.momentum_configs import RetrievalMatchConfig
from vidsim.objectives.objective import Objective


class HardMatchObjective(MatchObjective):
    """MatchObjective over the rows of a batch and two hard wrong pairs of each.

    A row of a batch in which every other row is right for it has no wrong pairs.

    Reference: Li et al. 2021, ALBEF (arXiv:2107.07651), equation 5.
    """

    def call(self, outputs, inputs):
        logits = self.head(ops.cast(outputs[schema.MATCH_VECTOR], "float32"))
        return _weighted(outputs, logits)

    def count(self, outputs, inputs):
        return ops.sum(outputs[schema.MATCH_WEIGHTS])


class RetrievalMatchObjective(Objective):
    """The same where the head is the task's and goes with the checkpoint: it reads its logits."""

    needs = (schema.MATCH_VECTOR,)

    def __init__(self, config: RetrievalMatchConfig) -> None:
        super().__init__(config.match_weight, name="match")

    def call(self, outputs, inputs):
        return _weighted(outputs, outputs[schema.MATCH_LOGITS])

    def count(self, outputs, inputs):
        return ops.sum(outputs[schema.MATCH_WEIGHTS])


def _weighted(outputs, logits):
    weights = outputs[schema.MATCH_WEIGHTS]
    losses = match_loss(outputs[schema.MATCH_LABELS], logits)
    return ops.divide_no_nan(ops.sum(weights * losses), ops.sum(weights))
