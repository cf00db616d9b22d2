"""A sentence and a video to the log-odds that they match, by a match head."""

from collections.abc import Mapping

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.losses.matching import MATCHES
from vidsim.models.albef import Albef
from vidsim.models.backbone import Backbone
from vidsim.models.retrieval_head import RetrievalHead
from vidsim.models.side import Side


class PairMatch(keras.Model):
    """Words of sentences beside frames of videos, as a backbone reads them -> (P,) float32."""

    def __init__(self, backbone: Backbone, head: RetrievalHead):
        super().__init__(name="pair_match")
        self.backbone, self.head = backbone, head
        self.built = True

    def call(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return log_odds(self.head(self.backbone(inputs, training=False)[schema.MATCH_VECTOR]))


class SideStates(keras.Model):
    """One side of an ALBEF, encoded once: inputs of a backbone -> states (B, S, width), float32.

    Args:
        backbone: whose side.
        of_texts: whether the sentences' or the videos'.
    """

    def __init__(self, backbone: Albef, of_texts: bool):
        super().__init__(name="side_states")
        self.backbone, self._of_texts = backbone, of_texts
        self.built = True

    def call(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        way = self.backbone.text_side if self._of_texts else self.backbone.video_side
        side = way(inputs, False)
        return ops.cast(side.states, "float32"), side.mask


class StateMatch(keras.Model):
    """States of both sides of P pairs -> (P,) float32: only the fusion is left to do.

    Inputs: text_states (P, L, width) and text_mask (P, L), frame_states and frame_mask.
    """

    def __init__(self, backbone: Albef, head: RetrievalHead):
        super().__init__(name="state_match")
        self.backbone, self.head = backbone, head
        self.built = True

    def call(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return log_odds(self.head(self.vectors(inputs)))

    def vectors(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(P, W) match vectors."""
        text, video = (
            Side(inputs[f"{name}_states"], inputs[f"{name}_mask"], None, None)
            for name in ("text", "frame")
        )
        fused = self.backbone.fuse(text, video, False)
        return self.backbone.match_vector(fused, text.mask)


def log_odds(logits: Tensor) -> Tensor:
    """(P, 2) -> (P,): the order is that of the probability of a match."""
    return logits[:, MATCHES] - logits[:, 1 - MATCHES]
