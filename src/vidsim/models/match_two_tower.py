"""Retrieval with a match head behind any backbone that gives it something to read."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor, l2_normalize
from vidsim.losses.momentum_contrast import negative_logits
from vidsim.models.backbone import Backbone
from vidsim.models.hard_negatives import draw_negatives, match_labels
from vidsim.models.retrieval_head import RetrievalHead
from vidsim.models.two_tower import TwoTower
from vidsim.objectives.objective import Objective
from vidsim.objectives.retrieval import RetrievalObjective

OF_TEXT = (schema.TOKEN_IDS, schema.TOKEN_MASK, schema.TOKEN_TYPES)
"""The inputs that a pair takes from its sentence; all others are its video's."""
_TEMPERATURE = 0.07


class MatchTwoTower(TwoTower):
    """TwoTower with a second pass over sentence and video together: B right pairs and 2B hard ones.

    For each sentence a wrong video of the batch, for each video a wrong sentence, drawn by the
    softmax of the cosines over temperature.

    Adds MATCH_LOGITS, MATCH_LABELS and MATCH_WEIGHTS (3B, ...) to TwoTower's outputs.

    Reference: Li et al. 2021, ALBEF (arXiv:2107.07651), section 3.2.
    """

    head: RetrievalHead

    def __init__(self, backbone: Backbone, objectives: Sequence[Objective], head: RetrievalHead):
        super().__init__(backbone, objectives, head)
        self.draws = keras.random.SeedGenerator()
        self.owned_state = (*self.owned_state, self.draws.state)  # put back with a skipped update
        self._contrast = next((o for o in objectives if isinstance(o, RetrievalObjective)), None)

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        outputs = super().call(inputs, training)
        rows = ops.cast(inputs[schema.VIDEO_ROW], "int32")
        related = ops.equal(rows[:, None], self.replicas.gather(rows)[None, :])
        text, video = (
            l2_normalize(outputs[name]) for name in (schema.TEXT_EMBEDDING, schema.VIDEO_EMBEDDING)
        )
        temperature = _TEMPERATURE
        if self._contrast is not None:
            temperature = ops.exp(self._contrast.log_temperature)
        chosen = []
        for own, other in ((text, video), (video, text)):
            logits = ops.matmul(own, ops.transpose(self.replicas.gather(other))) / temperature
            logits = negative_logits(logits, related)
            chosen.append(draw_negatives(logits, self.draws, self.replicas, training))
        pairs = self._pairs(inputs, *chosen)
        vectors = self.backbone(pairs, training=training)[schema.MATCH_VECTOR]
        labels, weights = match_labels(related)
        return outputs | {
            schema.MATCH_LOGITS: self.head(vectors),
            schema.MATCH_LABELS: labels,
            schema.MATCH_WEIGHTS: weights,
        }

    def _pairs(
        self, inputs: Mapping[str, Tensor], videos: Tensor, texts: Tensor
    ) -> dict[str, Tensor]:
        """Right pairs, sentences with wrong videos, videos with wrong sentences: (3B, ...)."""
        made = {}
        for key, value in inputs.items():
            if key == schema.VIDEO_ROW:
                continue
            of_text = key in OF_TEXT
            own = value[:, 0 if of_text else 1]
            wrong = ops.take(self.replicas.gather(own), texts if of_text else videos, axis=0)
            made[key] = ops.concatenate([own, own, wrong] if of_text else [own, wrong, own])
        return made
