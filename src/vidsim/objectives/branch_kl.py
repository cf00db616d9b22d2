"""Keeps the branches of a mixture close to the mixture's own tag distribution."""

from vidsim import schema
from vidsim.losses.branch_kl import branch_kl
from vidsim.objectives.configs import BranchKLConfig
from vidsim.objectives.objective import Objective, rows


class BranchKLObjective(Objective):
    """Mean over videos of the sum over branches of KL(mixed || branch)."""

    needs = (schema.TAG_LOGITS, schema.BRANCH_LOGITS)

    def __init__(self, config: BranchKLConfig):
        super().__init__(config.branch_kl_weight, name="branch_kl")
        self.temperature = config.branch_kl_temperature

    def call(self, outputs, inputs):
        mixed, branches = outputs[schema.TAG_LOGITS], outputs[schema.BRANCH_LOGITS]
        return branch_kl(mixed, branches, self.temperature)

    def count(self, outputs, inputs):
        return rows(outputs[schema.TAG_LOGITS])
