"""What an extractor is: a picture in, the numbers of a video's frame out."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from vidsim.extractors.preprocessing import Preprocessing
from vidsim.processors import at_once

BATCH_SIZE = 64
"""Pictures in one forward pass, at most."""


class Extractor(Protocol):
    """A model of pictures whose output is a frame's features.

    Attributes:
        name: what the user asked for, less the folder's place: "efficientnet_lite0", "vit:clip".
        width: numbers of a frame.
        digest: sha256 over the bytes of the weights and the preprocessing's description, in
            hexadecimal: features of equal digest may stand in one data set.
        preprocessing: what `preprocess` does, as data that another process can be given.
        calls: to `extract` at once, by as many threads, with which it is fastest.
    """

    @property
    def name(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def preprocessing(self) -> Preprocessing: ...
    @property
    def calls(self) -> int: ...

    def preprocess(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (h, w, 3) float32, by numpy and Pillow alone."""
        ...

    def extract(self, batch: np.ndarray) -> np.ndarray:
        """(N, h, w, 3) float32, preprocessed -> (N, width) float32."""
        ...


@dataclass(frozen=True)
class ModelExtractor:
    """A Keras model, or any function of batches, with its preprocessing.

    Attributes:
        name: see Extractor.
        width: see Extractor.
        digest: see Extractor.
        preprocessing: see Extractor.
        forward: (n, h, w, 3) float32 -> (n, width), n up to BATCH_SIZE.
        calls: see Extractor.
    """

    name: str
    width: int
    digest: str
    preprocessing: Preprocessing
    forward: Callable[[np.ndarray], Any]
    calls: int = 1

    @classmethod
    def of_model(
        cls, name: str, weights: str, preprocessing: Preprocessing, model: keras.Model
    ) -> "ModelExtractor":
        """An extractor of a Keras model with one input and one output (N, width).

        Args:
            name: see Extractor.
            weights: digest of the weights.
            preprocessing: see Extractor.
            model: with its weights loaded.
        """
        width = int(model.output_shape[-1])
        digest = extractor_digest(weights, preprocessing)
        forward, calls = model.predict_on_batch, parallel_calls()
        return cls(name, width, digest, preprocessing, forward, calls)

    def preprocess(self, picture: np.ndarray) -> np.ndarray:
        """See Extractor."""
        return self.preprocessing(picture)

    def extract(self, batch: np.ndarray) -> np.ndarray:
        """See Extractor; any number of pictures, none too."""
        out = np.empty((len(batch), self.width), "float32")
        for start in range(0, len(batch), BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            out[part] = self.forward(batch[part])
        return out


def parallel_calls() -> int:
    """How many batches TensorFlow computes at once on a CPU: see `at_once`.

    The threads that share an operation wait for each other at its end; those that have a batch each
    do not. Another backend and a GPU are given one batch after the other.
    """
    if keras.backend.backend() != "tensorflow" or keras.distribution.list_devices("gpu"):
        return 1
    return at_once()


def extractor_digest(weights: str, preprocessing: Preprocessing) -> str:
    """sha256 of the weights' digest and the preprocessing's description."""
    return hashlib.sha256(f"{weights}\n{preprocessing.description}".encode()).hexdigest()
