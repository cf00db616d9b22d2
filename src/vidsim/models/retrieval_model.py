"""What a model of retrieval predicts: embeddings of either side, and scores of pairs."""

from typing import Any

import keras

from vidsim.models.albef import Albef
from vidsim.models.backbone import Backbone
from vidsim.models.match_scorer import PairMatch, SideStates, StateMatch
from vidsim.models.retrieval_head import RetrievalHead, towers_of
from vidsim.models.two_tower import TowerEmbedding


class RetrievalModel(TowerEmbedding):
    """Embeds rows of one side each; see TowerEmbedding.

    Args:
        backbone: of any family.
        head: of `build_head`.

    Attributes:
        matcher: scores pairs, a StateMatch or a PairMatch; None without a match head.
        sides: for a StateMatch, the encoders of "text" and "frame".
    """

    def __init__(self, backbone: Backbone, head: "keras.layers.Layer | None"):
        super().__init__(backbone, towers_of(head))
        matcher: Any = None
        sides: dict[str, SideStates] = {}
        if isinstance(head, RetrievalHead) and isinstance(backbone, Albef):
            matcher = StateMatch(backbone, head)
            sides = {name: SideStates(backbone, name == "text") for name in ("text", "frame")}
        elif isinstance(head, RetrievalHead):
            matcher = PairMatch(backbone, head)
        self.matcher, self.sides = matcher, sides
