"""ALBEF's finetuning for retrieval: sentences and videos beside a momentum teacher."""

from collections.abc import Mapping, Sequence

from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.losses.momentum_contrast import shared_targets
from vidsim.models.albef import Albef
from vidsim.models.hard_negatives import match_labels
from vidsim.models.momentum_model import MomentumModel
from vidsim.models.retrieval_head import RetrievalHead
from vidsim.objectives.objective import Objective

_EMPTY = -100  # in the queue of ids, where nothing was put yet


class MomentumRetrieval(MomentumModel):
    """Trains an ALBEF on sentences and their videos, several sentences of one video included.

    What is known is an equal share for all keys of a row's own video, in the batch and in the
    queue; the negatives of the match head are drawn among the batch's other videos.

    Inputs as TwoTower's: side 0 a sentence, side 1 a video, and VIDEO_ROW (B,). Each side passes
    its own encoder once: sentences no frames, videos no words.

    Adds TEXT_EMBEDDING and VIDEO_EMBEDDING (B, D), what a MomentumContrastObjective reads, and with
    a match head MATCH_LOGITS, MATCH_LABELS and MATCH_WEIGHTS (3B, ...).

    Reference: Li et al. 2021, ALBEF (arXiv:2107.07651), section 4.1 and its public code.
    """

    head: RetrievalHead | None

    def __init__(
        self, backbone: Albef, objectives: Sequence[Objective], head: RetrievalHead | None = None
    ):
        super().__init__(backbone, objectives, head)
        size = self.text_queue.shape[0]
        self.row_queue = self.add_state("row_queue", (size,), "int32")
        self.row_queue.assign(ops.full((size,), _EMPTY, "int32"))

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        sides_of = {key: x for key, x in inputs.items() if key != schema.VIDEO_ROW}
        texts = {key: x[:, 0] for key, x in sides_of.items()}
        videos = {key: x[:, 1] for key, x in sides_of.items()}
        if training:
            self.follow()
        backbone = self.backbone
        sides = backbone.text_side(texts, training), backbone.video_side(videos, training)
        known = sides[0].states if backbone.text_is_fixed else None
        taught = self.teach(
            lambda: (backbone.text_side(texts, states=known), backbone.video_side(videos))
        )
        rows = ops.cast(inputs[schema.VIDEO_ROW], "int32")
        batch = self.replicas.gather(rows)
        hard = shared_targets(rows, ops.concatenate([batch, self.row_queue.value]))
        found = self.contrast(sides, taught, hard)
        found[schema.TEXT_EMBEDDING] = sides[0].feature
        found[schema.VIDEO_EMBEDDING] = sides[1].feature
        if isinstance(self.head, RetrievalHead):
            related = ops.equal(rows[:, None], batch[None, :])
            chosen = self.negatives(found, related, training)
            _, vectors = self.fused_with_negatives(sides, chosen, training)
            found[schema.MATCH_LOGITS] = self.head(vectors)
            found[schema.MATCH_LABELS], found[schema.MATCH_WEIGHTS] = match_labels(related)
        if training:
            if self.row_queue.shape[0]:
                places = self.next_places(batch)[:, None]
                self.row_queue.assign(ops.scatter_update(self.row_queue.value, places, batch))
            self.enqueue(taught)
            self.updates.assign(self.updates.value + 1)
        return found
