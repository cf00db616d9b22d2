"""Match: whether the streams of a row are those of its text's video."""

from keras import ops

from vidsim import schema
from vidsim.layers.dense import dense
from vidsim.losses.matching import match_loss
from vidsim.objectives.configs import MatchConfig
from vidsim.objectives.objective import Objective, rows


class MatchObjective(Objective):
    """Mean over rows of the cross-entropy of "matches", by one linear layer on MATCH_VECTOR.

    The head has two outputs, as ActBERT's and ALBEF's; column 1 of its logits says "matches". Those
    of VideoBERT and LXMERT have one and a sigmoid, which is the same model (`match_loss`).

    Reference: Zhu and Yang 2020, ActBERT (CVPR 2020), section 3.3; Tan and Bansal 2019, LXMERT
    (arXiv:1908.07490), section 3.1.2.

    Attributes:
        head: MATCH_VECTOR (B, W) to logits (B, 2).
    """

    needs = (schema.MATCH_VECTOR,)

    def __init__(self, config: MatchConfig, backbone):
        super().__init__(config.match_weight, name="match")
        self.head = dense(2, "head", dtype="float32")
        # where there is no such vector, build_objectives says so
        self.head.build((None, backbone.output_widths.get(schema.MATCH_VECTOR, 1)))

    def call(self, outputs, inputs):
        logits = self.head(ops.cast(outputs[schema.MATCH_VECTOR], "float32"))
        return ops.mean(match_loss(inputs[schema.MATCHED], logits))

    def count(self, outputs, inputs):
        return rows(outputs[schema.MATCH_VECTOR])
