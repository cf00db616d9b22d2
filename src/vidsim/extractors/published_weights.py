"""Weights of picture models that other projects published: found, hashed, put into Keras layers.

PyTorch stores kernels as (out, in, height, width), Keras as (height, width, in, out).
"""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from vidsim.errors import VidsimError


class PublishedTensors:
    """The tensors of one file, each taken at most once, and checked when it is.

    Args:
        tensors: by their names in the file.
        path: of the file, for messages.
        prefix: with which all names that are asked for begin in the file.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], path: Path, prefix: str = ""):
        self._tensors, self._path, self._prefix = tensors, path, prefix
        self._taken: set[str] = set()

    def take(self, name: str, *shape: int) -> np.ndarray:
        """The tensor as float32.

        Args:
            name: in the file, without the prefix.
            shape: that it must have.

        Raises:
            VidsimError: it is not there, of another shape, or has a number that is not finite.
        """
        full = self._prefix + name
        if full not in self._tensors:
            raise VidsimError(f"{self._path}: it has no tensor {full}; this is another model's")
        tensor = self._tensors[full]
        if tensor.shape != shape:
            raise VidsimError(f"{self._path}: {full} has shape {tensor.shape}; expected is {shape}")
        if not np.isfinite(tensor).all():
            raise VidsimError(f"{self._path}: {full} has numbers that are not finite")
        self._taken.add(full)
        return tensor.astype("float32")

    def take_rows(self, name: str, *shape: int) -> np.ndarray:
        """The same, of a tensor that may have axes of length 1 before those of the shape."""
        found = self._tensors.get(self._prefix + name)
        more = 0 if found is None else max(found.ndim - len(shape), 0)
        return self.take(name, *(1,) * more, *shape).reshape(shape)

    def has(self, name: str) -> bool:
        """Whether the file has the tensor."""
        return self._prefix + name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor that is there."""
        return self._tensors[self._prefix + name].shape

    def left(self) -> list[str]:
        """Names of the tensors that were not taken."""
        return sorted(set(self._tensors) - self._taken)


def convolution_weights(kernel: np.ndarray, depthwise: bool = False) -> np.ndarray:
    """PyTorch's kernel (O, I, h, w) as Keras has it: (h, w, I, O); depthwise (h, w, O, 1)."""
    return kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))


def set_weights(model: keras.Model, weights: Mapping[str, list[np.ndarray]]) -> None:
    """Puts arrays into the model's layers, by the layers' names; all that have weights are given.

    Raises:
        ValueError: a layer with weights is not named.
    """
    for layer in model.layers:
        if layer.weights:
            if layer.name not in weights:
                raise ValueError(f"no weights for the layer {layer.name}")
            layer.set_weights(weights[layer.name])


def fill_dense(layer: keras.layers.Dense, tensors: PublishedTensors, name: str) -> None:
    """Puts PyTorch's Linear `name` into a layer that was built; its kernel is (out, in) there."""
    into, out = layer.kernel.shape
    values = [tensors.take(f"{name}.weight", out, into).T]
    layer.set_weights([*values, tensors.take(f"{name}.bias", out)] if layer.use_bias else values)


def fill_norm(layer: keras.layers.LayerNormalization, tensors: PublishedTensors, name: str) -> None:
    """Puts PyTorch's LayerNorm `name` into a layer that was built."""
    (width,) = layer.gamma.shape
    layer.set_weights([tensors.take(f"{name}.{part}", width) for part in ("weight", "bias")])
