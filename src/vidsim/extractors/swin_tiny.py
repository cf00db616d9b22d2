"""Swin-T from a file of its authors (swin_tiny_patch4_window7_224.pth): 768 numbers a frame.

Frames of the WeChat challenge of 2022 were read by this model: the mean of the last layer's
positions. The file is named by the user: swin_tiny:FILE.

Reference: Liu et al. 2021 (arXiv:2103.14030) and their repository (microsoft/Swin-Transformer).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from vidsim.errors import VidsimError
from vidsim.extractors.extractor import ModelExtractor
from vidsim.extractors.preprocessing import Preprocessing
from vidsim.extractors.published_weights import (
    PublishedTensors,
    convolution_weights,
    fill_dense,
    fill_norm,
)
from vidsim.extractors.vit import layer_norm
from vidsim.files import file_digest
from vidsim.layers.activations import ACTIVATIONS
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor
from vidsim.pretrained.torch_file import read_torch_file

NAME = "swin_tiny"
PREPROCESSING = Preprocessing(height=224, width=224, resize=256, resample="bilinear")

_EPSILON = 1e-5
_FAR = -100.0  # what the published model adds to the scores of such positions


@dataclass(frozen=True)
class SwinConfig:
    """Sizes of a Swin transformer; by default those of Swin-T.

    Attributes:
        size: pixels of the picture's side.
        patch: pixels of a patch's side.
        window: patches of a window's side.
        width: numbers of a patch in the first stage; twice as many in each further one.
        depths: layers of each stage.
        heads: of each stage.
        expansion: of the feed-forward networks.
    """

    size: int = 224
    patch: int = 4
    window: int = 7
    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    expansion: int = 4


def load_swin_tiny(file: str) -> ModelExtractor:
    """The extractor "swin_tiny:FILE".

    Args:
        file: of torch.save, with the names of the authors' repository.

    Raises:
        VidsimError: no such file, damage, or another model's weights.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise VidsimError(
            f"{path}: no such file; accepted is the authors' swin_tiny_patch4_window7_224.pth"
        )
    model = swin(SwinConfig(), PublishedTensors(read_torch_file(path), path))
    return ModelExtractor.of_model(NAME, file_digest(path), PREPROCESSING, model)


def swin(config: SwinConfig, tensors: PublishedTensors) -> keras.Model:
    """The Keras model: pictures (N, size, size, 3) -> the mean of the last stage, (N, width x 8).

    Args:
        config: sizes.
        tensors: of the PyTorch model; its classifier is left out.

    Raises:
        VidsimError: a tensor is missing or of another shape.
    """
    pictures = keras.Input((config.size, config.size, 3))
    patches = keras.layers.Conv2D(config.width, config.patch, config.patch, name="patches")
    norm = layer_norm(_EPSILON, "patch_norm")
    x, width = norm(patches(pictures)), config.width
    kernel = tensors.take("patch_embed.proj.weight", width, 3, config.patch, config.patch)
    patches.set_weights([convolution_weights(kernel), tensors.take("patch_embed.proj.bias", width)])
    fill_norm(norm, tensors, "patch_embed.norm")
    for stage, (depth, heads) in enumerate(zip(config.depths, config.heads, strict=True)):
        for number in range(depth):
            window = min(config.window, int(x.shape[1]))
            shift = 0 if window == x.shape[1] or number % 2 == 0 else window // 2
            layer = SwinLayer(heads, window, shift, config.expansion)
            x = layer(x)
            layer.fill(tensors, f"layers.{stage}.blocks.{number}.")
        if stage + 1 < len(config.depths):
            merging = PatchMerging()
            x = merging(x)
            fill_norm(merging.norm, tensors, f"layers.{stage}.downsample.norm")
            fill_dense(merging.reduction, tensors, f"layers.{stage}.downsample.reduction")
    norm = layer_norm(_EPSILON, "norm")
    x = keras.layers.GlobalAveragePooling2D()(norm(x))
    fill_norm(norm, tensors, "norm")
    return keras.Model(pictures, x, name=NAME)


class SwinLayer(keras.layers.Layer):
    """Attention within windows of patches, then a feed-forward network.

    Args:
        heads: attention heads.
        window: patches of a window's side, M.
        shift: patches by which windows are shifted, so that they join what others part.
        expansion: hidden width of the feed-forward network, in widths.

    Shapes:
        (B, h, w, D) -> (B, h, w, D); M divides h and w
    """

    def __init__(self, heads: int, window: int, shift: int, expansion: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.heads, self.window, self.shift, self.expansion = heads, window, shift, expansion

    def build(self, input_shape: tuple) -> None:
        """Make the weights for (B, h, w, D)."""
        width = int(input_shape[-1])
        self.attention_norm = layer_norm(_EPSILON, "attention_norm")
        self.mlp_norm = layer_norm(_EPSILON, "mlp_norm")
        self.qkv, self.out = dense(3 * width, "qkv"), dense(width, "out")
        hidden = self.expansion * width
        self.expand = dense(hidden, "expand", activation=ACTIVATIONS["gelu"])
        self.contract = dense(width, "contract")
        for layer in (self.attention_norm, self.mlp_norm, self.qkv, self.out, self.expand):
            layer.build((None, width))
        self.contract.build((None, hidden))
        tokens = self.window**2
        self.bias = self.add_weight((self.heads, tokens, tokens), name="bias")

    def call(self, x: Tensor) -> Tensor:
        """Attention, then the feed-forward network; each is added to what it read."""
        x = x + self._attend(self.attention_norm(x))
        return x + self.contract(self.expand(self.mlp_norm(x)))

    def _attend(self, x: Tensor) -> Tensor:
        _, height, width, size = x.shape
        if self.shift:
            x = ops.roll(x, (-self.shift, -self.shift), (1, 2))
        side, tokens = self.window, self.window**2
        down, across = height // side, width // side
        x = ops.reshape(self.qkv(x), (-1, down, side, across, side, 3 * size))
        x = ops.reshape(
            ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, tokens, 3, self.heads, size // self.heads)
        )
        query, key, value = ops.unstack(ops.transpose(x, (2, 0, 3, 1, 4)), 3)  # (B x W, N, S, H)
        query = query * (size // self.heads) ** -0.5
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) + self.bias
        if self.shift:
            apart = window_mask(height, width, side, self.shift)[None, :, None]  # (1, W, 1, S, S)
            shape = (-1, down * across, self.heads, tokens, tokens)
            scores = ops.reshape(ops.reshape(scores, shape) + apart, (-1, *shape[2:]))
        x = ops.matmul(ops.softmax(scores), value)
        x = ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, down, across, side, side, size))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, size))
        if self.shift:
            x = ops.roll(x, (self.shift, self.shift), (1, 2))
        return self.out(x)

    def fill(self, tensors: PublishedTensors, at: str) -> None:
        """Takes the weights from the authors' file; `at` is what their names begin with."""
        table = tensors.take(
            f"{at}attn.relative_position_bias_table", (2 * self.window - 1) ** 2, self.heads
        )
        self.bias.assign(table[relative_positions(self.window)].transpose(2, 0, 1))
        for norm, name in ((self.attention_norm, "norm1"), (self.mlp_norm, "norm2")):
            fill_norm(norm, tensors, at + name)
        parts = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
        for layer, name in zip(
            (self.qkv, self.out, self.expand, self.contract), parts, strict=True
        ):
            fill_dense(layer, tensors, at + name)


class PatchMerging(keras.layers.Layer):
    """Four neighbours become one patch of twice the width.

    Shapes:
        (B, h, w, D) -> (B, h / 2, w / 2, 2 x D)
    """

    def build(self, input_shape: tuple) -> None:
        """Make the weights for (B, h, w, D)."""
        width = 4 * int(input_shape[-1])
        self.norm = layer_norm(_EPSILON, "norm")
        self.reduction = dense(width // 2, "reduction", use_bias=False)
        self.norm.build((None, width))
        self.reduction.build((None, width))

    def call(self, x: Tensor) -> Tensor:
        """In the published order: upper left, lower left, upper right, lower right."""
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(ops.concatenate(corners, axis=-1)))


def relative_positions(window: int) -> np.ndarray:
    """(S, S): the row of the table of biases for two of the S = window x window patches."""
    rows, columns = np.divmod(np.arange(window**2), window)
    down, across = rows[:, None] - rows, columns[:, None] - columns
    return (down + window - 1) * (2 * window - 1) + across + window - 1


def window_mask(height: int, width: int, window: int, shift: int) -> np.ndarray:
    """(W, S, S): 0 where two patches of a shifted window are neighbours in the picture, else -100.

    Rolled by `shift`, the last windows hold the picture's other end too.
    """
    regions = np.zeros((height, width), "int32")
    for axis, length in enumerate((height, width)):
        place = np.arange(length)
        part = (place >= length - window).astype("int32") + (place >= length - shift)
        regions += part[:, None] * 3 if axis == 0 else part[None]
    windows = regions.reshape(height // window, window, width // window, window)
    windows = windows.transpose(0, 2, 1, 3).reshape(-1, window**2)
    return np.where(windows[:, :, None] == windows[:, None], 0.0, _FAR).astype("float32")
