"""Retrieval: sentences and videos, each embedded alone, through one forward pass of a backbone."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.models.backbone import Backbone
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.side_means import beside, hidden_layers, means_widths, side_means
from vidsim.models.task_model import TaskModel

_BY_PAIR = (schema.VIDEO_ROW,)


class Towers(keras.layers.Layer):
    """A projection of its own for each side, after the backbone that both share.

    LayerNorm, dropout, Dense with GELU, dropout, Dense. The backbone's last layer is one for words
    and frames; here each side gets weights that fit what it comes from.

    Args:
        size: numbers of an embedding, in and out (D).
        hidden: numbers between the two layers.
        dropout: before and after the first layer; with few sentences a high one.
        skip: widths of the means (`side_means`) that each tower reads beside the embedding, of the
            text (V) and the frames (F); None: it reads the embedding alone. Beside the means the
            embedding is weighted by a learned number a side, 0 at the start: what a model that
            starts at random makes of a side is noise to the tower.

    Shapes:
        embeddings (B, D), is_video (B,), means (B, V) and (B, F) -> (B, D) float32
    """

    def __init__(
        self, size: int, hidden: int, dropout: float, skip: tuple[int, int] | None = None
    ) -> None:
        super().__init__(name="towers", dtype="float32")
        self.reads_means = skip is not None
        if self.reads_means:
            self.shares = [
                self.add_weight(shape=(), initializer="zeros", name=f"{side}_share")
                for side in ("text", "video")
            ]
        text, video = skip or (0, 0)
        self.text = self._tower("text", size, text, hidden, dropout)
        self.video = self._tower("video", size, video, hidden, dropout)
        self.built = True

    def call(
        self,
        embeddings: Tensor,
        is_video: Tensor,
        means: tuple[Tensor, Tensor] | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = ops.cast(embeddings, "float32")
        sides = x, x
        if means is not None and self.reads_means:
            sides = tuple(
                beside(x, share, mean) for share, mean in zip(self.shares, means, strict=True)
            )
        text = self.text(sides[0], training=training)
        video = self.video(sides[1], training=training)
        return ops.where(is_video[:, None], video, text)

    def _tower(
        self, name: str, size: int, more: int, hidden: int, dropout: float
    ) -> keras.Sequential:
        tower = keras.Sequential(
            [*hidden_layers(hidden, dropout), keras.layers.Dense(size, name="project")],
            name=name,
        )
        tower.build((None, size + more))
        return tower


def build_towers(backbone: Backbone, settings: Mapping[str, Any]) -> Towers | None:
    """The towers behind a backbone; None where retrieval was trained without.

    Args:
        backbone: of any family.
        settings: tower_hidden, tower_dropout and tower_skip, as a checkpoint of retrieval has them;
            of another task there are none.

    Raises:
        VidsimError: tower_skip for a family that does not give the states of its words.
    """
    if not settings.get("tower_hidden"):
        return None
    skip = means_widths(backbone, "--tower-skip") if settings.get("tower_skip") else None
    size, hidden = backbone.config.hidden_size, settings["tower_hidden"]
    return Towers(size, hidden, settings["tower_dropout"], skip)


def through_towers(
    towers: Towers | None,
    outputs: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    training: bool | None = None,
) -> Tensor:
    """(B, D) of rows with one side each, through the towers where there are some.

    Args:
        towers: of `build_towers`.
        outputs: of a backbone.
        inputs: what it was given.
        training: whether to drop.
    """
    embedding = side_embedding(outputs, inputs)
    if towers is None:
        return embedding
    means = side_means(outputs, inputs) if towers.reads_means else None
    return towers(embedding, has_frames(inputs), means, training=training)


class TwoTower(TaskModel):
    """Trains a backbone, and its Towers where there are some, on sentences and their videos.

    Inputs as the backbone's, with an axis of the two sides after the batch axis: side 0 is a
    sentence without frames, side 1 a video without words: token_ids (B, 2, L),
    frames (B, 2, T, d), ..., and VIDEO_ROW (B,).

    One pass over all 2B rows means that batch normalisation sees both sides together. Adds
    TEXT_EMBEDDING (B, D) and VIDEO_EMBEDDING (B, D) to the backbone's outputs.

    Reference: Radford et al. 2021, CLIP (arXiv:2103.00020), for the two towers; here they share
    what the family shares between its modalities.
    """

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        rows = self.objective_inputs(inputs)
        outputs = self.backbone(rows, training=training)
        towers = getattr(self.head, "towers", self.head)
        embedding = through_towers(towers, outputs, rows, training)
        sides = ops.reshape(embedding, (-1, 2, embedding.shape[-1]))
        return outputs | {
            schema.TEXT_EMBEDDING: sides[:, 0],
            schema.VIDEO_EMBEDDING: sides[:, 1],
        }

    def objective_inputs(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Merges the axis of sides into the batch axis: (B, 2, ...) -> (2B, ...)."""
        return {
            key: value if key in _BY_PAIR else ops.reshape(value, (-1, *ops.shape(value)[2:]))
            for key, value in inputs.items()
        }


class TowerEmbedding(EmbeddingModel):
    """Inputs of a backbone -> (B, D) float32: what has frames as a video, the rest as a sentence.

    It shares the weights and is compiled once.
    """

    def __init__(self, backbone: Backbone, head: Towers | None):
        super().__init__(backbone)
        self.head = head

    def call(self, inputs: Mapping[str, Tensor]) -> Tensor:
        outputs = self.backbone(inputs, training=False)
        return ops.cast(through_towers(self.head, outputs, inputs, False), "float32")


def has_frames(inputs: Mapping[str, Tensor]) -> Tensor:
    """(B,) whether a row of a backbone's inputs has a frame."""
    return ops.any(ops.cast(inputs[schema.FRAME_MASK], "bool"), axis=1)


def side_embedding(outputs: Mapping[str, Tensor], inputs: Mapping[str, Tensor]) -> Tensor:
    """(B, D) of rows with one side each: a family's own embedding of that side, where it has one.

    Args:
        outputs: of a backbone.
        inputs: what it was given.
    """
    if schema.TEXT_EMBEDDING not in outputs or schema.VIDEO_EMBEDDING not in outputs:
        return outputs[schema.EMBEDDING]
    text, video = outputs[schema.TEXT_EMBEDDING], outputs[schema.VIDEO_EMBEDDING]
    return ops.where(has_frames(inputs)[:, None], video, text)
