"""Masked actions: name what was hidden, from the encoder's states over the actions."""

from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.numeric import Tensor
from vidsim.layers.prediction_head import PredictionHead
from vidsim.layers.time_spans import first_columns
from vidsim.losses.masked_actions import masked_action_classes
from vidsim.objectives.configs import MaskedActionsConfig
from vidsim.objectives.objective import Objective


class MaskedActionsObjective(Objective):
    """Mean over the chosen actions of a batch, by a head of Dense, GELU, LayerNorm, Dense.

    The classes are ACTION_LABELS where the data have some; else the video's TAGS, of which an
    action is each in equal parts. It reads ACTION_STATES and ACTIONS_CHOSEN besides. Rows that are
    not MATCHED are left out where the classes are TAGS, for those are of the text's video.

    Reference: Zhu and Yang 2020, ActBERT (CVPR 2020), section 3.3.
    """

    needs = (schema.ACTION_STATES,)

    def __init__(self, config: MaskedActionsConfig, backbone):
        super().__init__(config.masked_actions_weight, name="masked_actions")
        spec = backbone.spec
        self.labels = schema.ACTION_LABELS if schema.ACTION_LABELS in spec.widths else schema.TAGS
        classes = spec.widths.get(schema.ACTION_LABELS, spec.num_labels)
        if not classes:
            raise VidsimError(
                "the masked_actions loss needs action labels or tags, and there are none; set "
                "--masked-actions-weight 0"
            )
        # where there are no states, build_objectives says so
        width = backbone.output_widths.get(schema.ACTION_STATES, 1)
        self.head = PredictionHead(width, classes, spec.encoder.layer_norm_eps, name="head")

    def call(self, outputs, inputs):
        return masked_action_classes(
            inputs[self.labels][:, None], self.logits(outputs), self._chosen(outputs, inputs)
        )

    def count(self, outputs, inputs):
        known = ops.any(ops.cast(inputs[self.labels], "bool"), axis=-1, keepdims=True)
        chosen = ops.logical_and(self._chosen(outputs, inputs), known)
        return ops.sum(ops.cast(chosen, "float32"))

    def logits(self, outputs) -> Tensor:
        """Scores of the classes, (B, A, C)."""
        return self.head(outputs[schema.ACTION_STATES])

    def _chosen(self, outputs, inputs):
        """(B, A); where actions are made of frames, more columns than actions were drawn."""
        count = outputs[schema.ACTION_STATES].shape[1]
        chosen = ops.cast(inputs[schema.ACTIONS_CHOSEN], "bool")
        if schema.ACTION_MASK in inputs:
            chosen = ops.logical_and(chosen, ops.cast(inputs[schema.ACTION_MASK], "bool"))
        else:
            chosen = first_columns(chosen, count)
        if self.labels == schema.TAGS and schema.MATCHED in inputs:
            matched = ops.cast(inputs[schema.MATCHED], "bool")
            chosen = ops.logical_and(chosen, matched[:, None])
        return chosen
