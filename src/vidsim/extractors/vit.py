"""Vision transformers, and CLIP's reader of texts: blocks that ViT, DeiT, CLIP and SigLIP share.

Pre-norm layers over tokens of which none is padding. The encoders of texts in `layers` are
post-norm and read packed rows, so nothing of those fits here.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from vidsim.extractors.published_weights import PublishedTensors, fill_dense, fill_norm
from vidsim.layers.activations import ACTIVATIONS
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor


@dataclass(frozen=True)
class LayerConfig:
    """The layers of one transformer.

    Attributes:
        width: numbers of a token, D.
        layers: how many.
        heads: attention heads; divides the width.
        intermediate: width of the feed-forward network's hidden layer.
        activation: a name of ACTIVATIONS.
        epsilon: of every LayerNorm.
        causal: whether a token sees only those before it, and itself.
    """

    width: int
    layers: int
    heads: int
    intermediate: int
    activation: str
    epsilon: float
    causal: bool = False


@dataclass(frozen=True)
class VisionConfig:
    """What a picture goes through.

    Attributes:
        encoder: the layers.
        size: pixels of the picture's side.
        patch: pixels of a patch's side.
        tokens: published names of the learned tokens before the patches; the result is the first
            one's output. Empty: it is what a learned query's attention finds (SigLIP).
        pre_norm: whether there is a LayerNorm before the first layer.
        projection: numbers of the result; None: no linear layer at the end.
    """

    encoder: LayerConfig
    size: int
    patch: int
    tokens: tuple[str, ...]
    pre_norm: bool = False
    projection: int | None = None


@dataclass(frozen=True)
class LayerNames:
    """How a published file calls the parts of a layer."""

    query: str
    key: str
    value: str
    output: str
    attention_norm: str
    mlp_norm: str
    expand: str
    contract: str


class VisionLayer(keras.layers.Layer):
    """A pre-norm transformer layer.

    Args:
        config: of the transformer.

    Shapes:
        (B, S, D) -> (B, S, D)

    Reference: Dosovitskiy et al. 2020 (arXiv:2010.11929), section 3.1.
    """

    def __init__(self, config: LayerConfig, **kwargs: Any):
        super().__init__(**kwargs)
        self.config = config
        width = config.width
        self.attention_norm = layer_norm(config.epsilon, "attention_norm")
        self.qkv = dense(3 * width, "qkv")
        self.out = dense(width, "out")
        self.mlp_norm = layer_norm(config.epsilon, "mlp_norm")
        activation = ACTIVATIONS[config.activation]
        self.expand = dense(config.intermediate, "expand", activation=activation)
        self.contract = dense(width, "contract")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for (B, S, D)."""
        for layer in (self.attention_norm, self.qkv, self.out, self.mlp_norm, self.expand):
            layer.build(input_shape)
        self.contract.build((*input_shape[:-1], self.config.intermediate))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Known without a trace, which JAX cannot make of a number of tokens that is not known."""
        return input_shape

    def call(self, x: Tensor) -> Tensor:
        """Attention, then the feed-forward network; each is added to what it read."""
        x = x + self._attend(self.attention_norm(x))
        return x + self.contract(self.expand(self.mlp_norm(x)))

    def _attend(self, x: Tensor) -> Tensor:
        tokens, heads, width = ops.shape(x)[1], self.config.heads, self.config.width
        qkv = ops.reshape(self.qkv(x), (-1, tokens, 3, heads, width // heads))
        query, key, value = ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), 3)  # (B, N, S, H)
        scores = ops.matmul(query * (width // heads) ** -0.5, ops.transpose(key, (0, 1, 3, 2)))
        if self.config.causal:
            place = ops.arange(tokens)
            scores = ops.where(place[:, None] >= place, scores, -1e9)
        context = ops.matmul(ops.softmax(scores), value)
        return self.out(ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (-1, tokens, width)))

    def fill(self, tensors: PublishedTensors, at: str, names: LayerNames) -> None:
        """Takes the layer's weights from a file; `at` is what their names begin with."""
        parts = (names.query, names.key, names.value)
        width = self.config.width
        kernels = [tensors.take(f"{at}{part}.weight", width, width).T for part in parts]
        zeros = np.zeros(width, "float32")  # a ViT may be without these biases
        biases = [
            tensors.take(f"{at}{part}.bias", width) if tensors.has(f"{at}{part}.bias") else zeros
            for part in parts
        ]
        self.qkv.set_weights([np.concatenate(kernels, axis=1), np.concatenate(biases)])
        fill_dense(self.out, tensors, at + names.output)
        fill_norm(self.attention_norm, tensors, at + names.attention_norm)
        fill_norm(self.mlp_norm, tensors, at + names.mlp_norm)
        fill_dense(self.expand, tensors, at + names.expand)
        fill_dense(self.contract, tensors, at + names.contract)


class PatchTokens(keras.layers.Layer):
    """Learned tokens before the patches, and a learned position added to each.

    Args:
        tokens: how many learned ones, T.

    Shapes:
        (B, h, w, D) -> (B, T + h x w, D)
    """

    def __init__(self, tokens: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.tokens = tokens

    def build(self, input_shape: tuple) -> None:
        """Make the weights for patches (B, h, w, D)."""
        _, height, width, size = input_shape
        if self.tokens:
            self.learned = self.add_weight((self.tokens, size), name="learned")
        self.positions = self.add_weight((self.tokens + height * width, size), name="positions")

    def call(self, patches: Tensor) -> Tensor:
        """In rows, from left to right."""
        rows = ops.reshape(patches, (-1, patches.shape[1] * patches.shape[2], patches.shape[3]))
        if self.tokens:
            before = ops.broadcast_to(
                self.learned, (ops.shape(rows)[0], self.tokens, rows.shape[-1])
            )
            rows = ops.concatenate([before, rows], axis=1)
        return rows + self.positions


class AttentionPooling(keras.layers.Layer):
    """One learned query attends to all tokens; then a feed-forward network, added to what it read.

    Args:
        config: of the transformer.

    Shapes:
        (B, S, D) -> (B, D)

    Reference: Zhai et al. 2023, SigLIP (arXiv:2303.15343); Zhai et al. 2022 (arXiv:2106.04560).
    """

    def __init__(self, config: LayerConfig, **kwargs: Any):
        super().__init__(**kwargs)
        self.config = config
        self.key_value = dense(2 * config.width, "key_value")
        self.out = dense(config.width, "out")
        self.norm = layer_norm(config.epsilon, "norm")
        activation = ACTIVATIONS[config.activation]
        self.expand = dense(config.intermediate, "expand", activation=activation)
        self.contract = dense(config.width, "contract")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for (B, S, D)."""
        heads, width = self.config.heads, self.config.width
        self.query = self.add_weight((heads, width // heads, 1), name="query")
        for layer in (self.key_value, self.out, self.norm, self.expand):
            layer.build(input_shape)
        self.contract.build((*input_shape[:-1], self.config.intermediate))

    def call(self, x: Tensor) -> Tensor:
        """The pooled tokens."""
        heads, width = self.config.heads, self.config.width
        pairs = ops.reshape(self.key_value(x), (-1, x.shape[1], 2, heads, width // heads))
        key, value = ops.unstack(ops.transpose(pairs, (2, 0, 3, 1, 4)), 2)  # (B, N, S, H)
        weights = ops.softmax(ops.matmul(key, self.query), axis=2)  # (B, N, S, 1)
        pooled = self.out(ops.reshape(ops.sum(weights * value, axis=2), (-1, width)))
        return pooled + self.contract(self.expand(self.norm(pooled)))

    def fill(self, tensors: PublishedTensors, at: str) -> None:
        """Takes the weights from a SigLIP file; `at` is what their names begin with."""
        width = self.config.width
        kernels = np.split(tensors.take(f"{at}attention.in_proj_weight", 3 * width, width), 3)
        biases = np.split(tensors.take(f"{at}attention.in_proj_bias", 3 * width), 3)
        probe = tensors.take(f"{at}probe", 1, 1, width)[0, 0]
        query = (kernels[0] @ probe + biases[0]) * (width // self.config.heads) ** -0.5
        self.query.assign(query.reshape(self.query.shape))
        self.key_value.set_weights([np.concatenate(kernels[1:]).T, np.concatenate(biases[1:])])
        fill_dense(self.out, tensors, f"{at}attention.out_proj")
        fill_norm(self.norm, tensors, f"{at}layernorm")
        fill_dense(self.expand, tensors, f"{at}mlp.fc1")
        fill_dense(self.contract, tensors, f"{at}mlp.fc2")


def vision_tower(config: VisionConfig, patch_bias: bool) -> keras.Model:
    """The model, weights at random: layers patches, tokens, pre_norm, layer0, ..., norm, head.

    Shapes:
        (B, size, size, 3) -> (B, projection or D)
    """
    encoder = config.encoder
    pictures = keras.Input((config.size, config.size, 3))
    x = keras.layers.Conv2D(
        encoder.width, config.patch, config.patch, use_bias=patch_bias, name="patches"
    )(pictures)
    x = PatchTokens(len(config.tokens), name="tokens")(x)
    if config.pre_norm:
        x = layer_norm(encoder.epsilon, "pre_norm")(x)
    for number in range(encoder.layers):
        x = VisionLayer(encoder, name=f"layer{number}")(x)
    if config.tokens:
        x = layer_norm(encoder.epsilon, "norm")(x[:, 0])
    else:
        x = AttentionPooling(encoder, name="head")(layer_norm(encoder.epsilon, "norm")(x))
    if config.projection:
        x = dense(config.projection, "projection", use_bias=False)(x)
    return keras.Model(pictures, x)


def layer_norm(epsilon: float, name: str) -> keras.layers.LayerNormalization:
    """LayerNorm over the last axis."""
    return keras.layers.LayerNormalization(epsilon=epsilon, name=name)
