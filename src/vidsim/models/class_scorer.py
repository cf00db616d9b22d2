"""Classification: a head over the embedding, trained with the backbone, and its softmax."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from vidsim.layers.numeric import Tensor
from vidsim.models.backbone import Backbone
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.side_means import beside, hidden_layers, means_widths, side_means
from vidsim.models.task_model import TaskModel
from vidsim.schema import CLASS_LOGITS, EMBEDDING


class ClassHead(keras.layers.Dense):
    """(B, D) embeddings to (B, C) logits, float32: one layer, or two.

    Args:
        categories: C ids, one a class.
        size: D.
        hidden: numbers between two layers; 0: there is one, linear.
        dropout: between the two; half as much before the first.
        means: widths (V, F) of `side_means`, which the first of two layers reads beside the
            embedding; the embedding then has a weight that is learned, from 0 on. None: it reads
            the embedding alone.

    Attributes:
        categories: (C,) int64.
        reads_means: whether `means` were given.
    """

    def __init__(
        self,
        categories: Sequence[int],
        size: int,
        hidden: int = 0,
        dropout: float = 0.5,
        means: tuple[int, int] | None = None,
    ):
        super().__init__(len(categories), dtype="float32", name="class_head")
        self.categories = np.array(categories, np.int64)
        self.reads_means = means is not None
        self.before = None
        if self.reads_means:
            self.share = self.add_weight(shape=(), initializer="zeros", name="share")
        if hidden:
            self.before = keras.Sequential(hidden_layers(hidden, dropout), name="before")
            self.before.build((None, size + sum(means or ())))
        self.build((None, hidden or size))
        self.input_spec = None  # Dense made it for what comes after `before`

    def call(
        self,
        embeddings: Tensor,
        means: tuple[Tensor, Tensor] | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = ops.cast(embeddings, "float32")
        if means is not None and self.reads_means:
            x = beside(x, self.share, *means)
        if self.before is not None:
            x = self.before(x, training=training)
        return super().call(x)


def build_class_head(backbone: Backbone, settings: Mapping[str, Any]) -> ClassHead:
    """The head behind a backbone.

    Args:
        backbone: of any family.
        settings: classes, and class_hidden, class_dropout and class_skip where there is a hidden
            layer, as a checkpoint of classification has them.

    Raises:
        VidsimError: class_skip for a family that does not give the states of its words.
    """
    means = means_widths(backbone, "--class-skip") if settings.get("class_skip") else None
    hidden, dropout = settings.get("class_hidden", 0), settings.get("class_dropout", 0.0)
    return ClassHead(settings["classes"], backbone.config.hidden_size, hidden, dropout, means)


def class_logits(
    head: ClassHead,
    outputs: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    training: bool | None = None,
) -> Tensor:
    """(B, C) logits of B videos, float32.

    Args:
        head: of `build_class_head`.
        outputs: of a backbone.
        inputs: what it was given.
        training: whether to drop.
    """
    means = side_means(outputs, inputs) if head.reads_means else None
    return head(outputs[EMBEDDING], means, training=training)


class ClassScorer(TaskModel):
    """Trains a backbone and a ClassHead.

    Inputs as the backbone's, with CATEGORY (B,) and CLASS_SHARES (B, C) besides. Adds CLASS_LOGITS
    (B, C) to the backbone's outputs.
    """

    head: ClassHead

    def call(self, inputs, training=None):
        outputs = self.backbone(inputs, training=training)
        return outputs | {CLASS_LOGITS: class_logits(self.head, outputs, inputs, training)}


class ClassPredictor(EmbeddingModel):
    """Inputs of a backbone -> (B, C) float32 probabilities; shares the weights, compiled once."""

    def __init__(self, backbone: Backbone, head: ClassHead):
        super().__init__(backbone)
        self.head = head

    def call(self, inputs):
        outputs = self.backbone(inputs, training=False)
        logits = class_logits(self.head, outputs, inputs, training=False)
        return ops.softmax(ops.cast(logits, "float32"), axis=-1)
