"""The layers that retrieval adds to a backbone: towers behind each side, and a match head."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor
from vidsim.models.backbone import Backbone
from vidsim.models.two_tower import Towers, build_towers


class RetrievalHead(keras.layers.Layer):
    """Towers, where there are some, and a match head: what goes with a checkpoint of retrieval.

    Args:
        width: of MATCH_VECTOR.
        towers: see `Towers`; None: there are none.

    Shapes: match vectors (B, W) -> logits (B, 2) float32, column 1 says that they match
    """

    def __init__(self, width: int, towers: Towers | None = None):
        super().__init__(name="retrieval_head", dtype="float32", autocast=False)
        self.towers = towers
        self.match = dense(2, "match", dtype="float32")
        self.match.build((None, width))
        self.built = True

    def call(self, vectors: Tensor) -> Tensor:
        """Score match vectors."""
        return self.match(ops.cast(vectors, "float32"))


def build_head(backbone: Backbone, settings: Mapping[str, Any]) -> Towers | RetrievalHead | None:
    """What retrieval was trained with behind a backbone; None: nothing.

    Args:
        backbone: of any family.
        settings: tower_hidden, tower_dropout and match, as a checkpoint of retrieval has them; of
            another task there are none.

    Raises:
        VidsimError: a match head for a family that gives nothing to read.
    """
    towers = build_towers(backbone, settings)
    if not settings.get("match"):
        return towers
    width = backbone.output_widths.get(schema.MATCH_VECTOR)
    if width is None:
        raise VidsimError(
            f"--match-weight: the family {backbone.config.family} does not say whether a sentence "
            "and a video match (it gives no match_vector); set it to 0"
        )
    return RetrievalHead(width, towers)


def towers_of(head: "keras.layers.Layer | None") -> Towers | None:
    """The towers of a head of `build_head`."""
    return head.towers if isinstance(head, RetrievalHead) else head  # pyright: ignore
