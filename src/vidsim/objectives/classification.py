"""Classification: the one class that a video has."""

from keras import ops

from vidsim.layers.numeric import Tensor
from vidsim.losses.classification import softmax_cross_entropy
from vidsim.objectives.configs import ClassConfig
from vidsim.objectives.objective import Objective, rows
from vidsim.schema import CATEGORY, CLASS_LOGITS, CLASS_SHARES, OWN_SHARE, PARTNER


class ClassObjective(Objective):
    """Mean over videos and heads of the cross-entropy, logits adjusted by the classes' shares.

    Where a row is a mixture of itself and a partner, so is what it is to be: the loss is that of
    its own class, times its share, and that of its partner's, times the rest.

    References: Menon et al. 2021 (arXiv:2007.07314), section 5.1, for the adjustment; Verma et al.
    2019 (arXiv:1806.05236), equation 1, for mixtures.
    """

    needs = (CLASS_LOGITS,)

    def __init__(self, config: ClassConfig):
        super().__init__(config.class_weight, name="class")
        self.config = config

    def call(self, outputs, inputs):
        logits = ops.cast(outputs[CLASS_LOGITS], "float32")  # (B, H, C)
        if self.config.logit_adjustment:
            shares = inputs[CLASS_SHARES][:, None, :]
            logits = logits + self.config.logit_adjustment * ops.log(shares)
        loss = self._loss(inputs[CATEGORY], logits)
        if OWN_SHARE in outputs:
            own = outputs[OWN_SHARE][:, None]  # (B, 1)
            other = self._loss(ops.take(inputs[CATEGORY], outputs[PARTNER], axis=0), logits)
            loss = own * loss + (1 - own) * other
        return ops.mean(loss)

    def count(self, outputs, inputs):
        return rows(outputs[CLASS_LOGITS])

    def _loss(self, classes: Tensor, logits: Tensor) -> Tensor:
        """(B, H) of classes (B,) and logits (B, H, C)."""
        classes = ops.broadcast_to(classes[:, None], ops.shape(logits)[:2])
        return softmax_cross_entropy(classes, logits, self.config.label_smoothing)
