"""Classification: a linear head over the embedding, trained with the backbone, and its softmax."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from vidsim.models.backbone import Backbone
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.task_model import TaskModel
from vidsim.schema import CLASS_LOGITS, EMBEDDING


class ClassHead(keras.layers.Dense):
    """(B, D) embeddings to (B, C) logits, float32.

    Args:
        categories: C ids, one a class.
        size: D.

    Attributes:
        categories: (C,) int64.
    """

    def __init__(self, categories: Sequence[int], size: int):
        super().__init__(len(categories), dtype="float32", name="class_head")
        self.categories = np.array(categories, np.int64)
        self.build((None, size))


class ClassScorer(TaskModel):
    """Trains a backbone and a ClassHead.

    Inputs as the backbone's, with CATEGORY (B,) and CLASS_SHARES (B, C) besides. Adds CLASS_LOGITS
    (B, C) to the backbone's outputs.
    """

    head: ClassHead

    def call(self, inputs, training=None):
        outputs = self.backbone(inputs, training=training)
        return outputs | {CLASS_LOGITS: self.head(outputs[EMBEDDING])}


class ClassPredictor(EmbeddingModel):
    """Inputs of a backbone -> (B, C) float32 probabilities; shares the weights, compiled once."""

    def __init__(self, backbone: Backbone, head: ClassHead):
        super().__init__(backbone)
        self.head = head

    def call(self, inputs):
        embedding = self.backbone(inputs, training=False)[EMBEDDING]
        return ops.softmax(ops.cast(self.head(embedding), "float32"), axis=-1)
