"""ALBEF's pretraining: contrast, match with hard negatives, and masked words, beside a teacher."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.models.albef import Albef
from vidsim.models.hard_negatives import match_labels
from vidsim.models.momentum_model import MomentumModel
from vidsim.models.pretrainer import with_hidden
from vidsim.models.side import Side
from vidsim.objectives.hard_match import HardMatchObjective
from vidsim.objectives.masked_lm import DistilledLMObjective
from vidsim.objectives.objective import Objective


class MomentumPretrainer(MomentumModel):
    """Trains an ALBEF on videos with their texts.

    One pass over words and frames apart, the same by the teacher; from their cosines come targets
    and hard negatives. One pass of the fusion over the rows and both kinds of negatives, and, where
    words are masked, one over the masked texts.

    Inputs: as the backbone's; with masked words those of `preprocess.corruption`, UNMASKED_IDS
    among them.

    Adds to the backbone's outputs what the objectives read: TEXT_COSINES and its like; MATCH_VECTOR
    (3B, W), MATCH_LABELS and MATCH_WEIGHTS; HIDDEN_STATES of the masked texts, TEACHER_LOGITS and
    TEACHER_SHARE.

    Reference: Li et al. 2021, ALBEF (arXiv:2107.07651), sections 3.2 and 3.3.
    """

    def __init__(self, backbone: Albef, objectives: Sequence[Objective]):
        self._words = next((o for o in objectives if isinstance(o, DistilledLMObjective)), None)
        self._match = any(isinstance(item, HardMatchObjective) for item in objectives)
        super().__init__(backbone, objectives)

    def _taught(self) -> list[keras.Variable]:
        head = [] if self._words is None else self._words.trainable_variables
        taught = [*super()._taught(), *head]
        return list({id(weight): weight for weight in taught}.values())  # the word table is in both

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        shown = with_hidden(inputs)
        clean = shown | {schema.TOKEN_IDS: inputs.get(schema.UNMASKED_IDS, shown[schema.TOKEN_IDS])}
        if training:
            self.follow()
        backbone = self.backbone
        sides = backbone.text_side(clean, training), backbone.video_side(shown, training)
        taught = self.teach(lambda: (backbone.text_side(clean), backbone.video_side(shown)))
        own = self.own_rows(sides[0])
        hard = ops.pad(ops.cast(own, "float32"), [[0, 0], [0, self.text_queue.shape[0]]])
        found = self.contrast(sides, taught, hard)
        fused = None
        if self._match:
            chosen = self.negatives(found, own, training)
            fused, vectors = self.fused_with_negatives(sides, chosen, training)
            found[schema.MATCH_VECTOR] = vectors
            found[schema.MATCH_LABELS], found[schema.MATCH_WEIGHTS] = match_labels(own)
        found = backbone.outputs(*sides, training, fused) | found
        if self._words is not None:
            found |= self._masked(shown, sides[1], taught[1], training)
        if training:
            self.enqueue(taught)
            self.updates.assign(self.updates.value + 1)
        return found

    def _masked(
        self, shown: Mapping[str, Tensor], video: Side, taught: Side, training: bool | None
    ) -> dict[str, Tensor]:
        """Of the masked texts: fused states, and the teacher's logits of what is masked."""
        words, backbone = self._words, self.backbone
        assert words is not None
        shown = dict(shown)
        text = backbone.text_side(shown, training)

        def ask() -> Tensor:
            return words.logits(backbone.fuse(backbone.text_side(shown), taught), shown)

        rows = ops.shape(video.mask)[0]
        return {
            schema.HIDDEN_STATES: backbone.fuse(text, video, training),
            schema.TEACHER_LOGITS: self.teach(ask),
            schema.TEACHER_SHARE: ops.broadcast_to(self.share, (rows,)),
        }
