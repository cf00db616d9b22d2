"""A backbone that gives only its embedding; shares the backbone's weights."""

from typing import Any

import keras
import numpy as np

from vidsim import schema
from vidsim.errors import unwrapped
from vidsim.models.backbone import Backbone


class EmbeddingModel(keras.Model):
    """Inputs of a backbone -> (B, 256) float32; compiled once, whatever weights come and go."""

    def __init__(self, backbone: Backbone):
        super().__init__(name="embedding_model")
        self.backbone = backbone
        self.built = True

    def call(self, inputs):
        return keras.ops.cast(self.backbone(inputs, training=False)[schema.EMBEDDING], "float32")

    def embed(self, dataset: Any) -> np.ndarray:
        """Embeddings (N, 256) of all the dataset's videos, in order.

        Raises:
            VidsimError: a batch could not be read.
        """
        with self.backbone.on_its_devices(), unwrapped():
            return np.asarray(self.predict(dataset, verbose=0), "float32")
