"""Classification: the one class that a video has."""

from keras import ops

from vidsim.losses.classification import softmax_cross_entropy
from vidsim.objectives.configs import ClassConfig
from vidsim.objectives.objective import Objective, rows
from vidsim.schema import CATEGORY, CLASS_LOGITS, CLASS_SHARES


class ClassObjective(Objective):
    """Mean over videos of the cross-entropy, logits adjusted by the classes' shares if asked for.

    Reference: Menon et al. 2021 (arXiv:2007.07314), section 5.1, for the adjustment.
    """

    needs = (CLASS_LOGITS,)

    def __init__(self, config: ClassConfig):
        super().__init__(config.class_weight, name="class")
        self.config = config

    def call(self, outputs, inputs):
        logits = ops.cast(outputs[CLASS_LOGITS], "float32")  # (B, C)
        if self.config.logit_adjustment:
            logits = logits + self.config.logit_adjustment * ops.log(inputs[CLASS_SHARES])
        return ops.mean(
            softmax_cross_entropy(inputs[CATEGORY], logits, self.config.label_smoothing)
        )

    def count(self, outputs, inputs):
        return rows(outputs[CLASS_LOGITS])
