"""Hugging Face folders of ViT, DeiT, CLIP and SigLIP as extractors.

A frame's numbers are, by family: ViT and DeiT the last layer's [CLS] after its LayerNorm; CLIP the
projected picture, which is in one space with its texts; SigLIP the pooled picture.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vidsim.errors import VidsimError
from vidsim.extractors.extractor import ModelExtractor
from vidsim.extractors.image_processor import read_image_processor
from vidsim.extractors.preprocessing import Preprocessing
from vidsim.extractors.published_weights import (
    PublishedTensors,
    convolution_weights,
    fill_dense,
    fill_norm,
)
from vidsim.extractors.vit import LayerNames, PatchTokens, VisionConfig, vision_tower
from vidsim.extractors.vit_config import ConfigReader, tower_config
from vidsim.files import file_digest
from vidsim.pretrained.hub import local_folder
from vidsim.pretrained.json_files import read_json_object
from vidsim.pretrained.weight_files import read_weights

_VIT_NAMES = LayerNames(
    "attention.attention.query",
    "attention.attention.key",
    "attention.attention.value",
    "attention.output.dense",
    "layernorm_before",
    "layernorm_after",
    "intermediate.dense",
    "output.dense",
)
CLIP_NAMES = LayerNames(
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.out_proj",
    "layer_norm1",
    "layer_norm2",
    "mlp.fc1",
    "mlp.fc2",
)


@dataclass(frozen=True)
class _Family:
    """How a family's files call the parts, and what its config.json leaves out."""

    patches: str
    positions: str
    tokens: tuple[str, ...]
    layers: str
    names: LayerNames
    norm: str
    defaults: Mapping[str, Any]
    pre_norm: str | None = None


_BASE = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
}
_VIT = _Family(
    "embeddings.patch_embeddings.projection",
    "embeddings.position_embeddings",
    ("embeddings.cls_token",),
    "encoder.layer",
    _VIT_NAMES,
    "layernorm",
    {**_BASE, "hidden_act": "gelu", "layer_norm_eps": 1e-12},
)
_DEIT = _Family(
    _VIT.patches,
    _VIT.positions,
    ("embeddings.cls_token", "embeddings.distillation_token"),
    _VIT.layers,
    _VIT_NAMES,
    _VIT.norm,
    _VIT.defaults,
)
_CLIP = _Family(
    "embeddings.patch_embedding",
    "embeddings.position_embedding.weight",
    ("embeddings.class_embedding",),
    "encoder.layers",
    CLIP_NAMES,
    "post_layernorm",
    {**_BASE, "patch_size": 32, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5},
    "pre_layrnorm",  # as it is spelled in all of these files
)
_SIGLIP = _Family(
    _CLIP.patches,
    _CLIP.positions,
    (),
    _CLIP.layers,
    CLIP_NAMES,
    _CLIP.norm,
    {**_BASE, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6},
)
FAMILIES = {
    "vit": _VIT,
    "deit": _DEIT,
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
}


def load_vit(named: str) -> ModelExtractor:
    """The extractor "vit:FOLDER".

    Args:
        named: a folder, or a repository of the Hugging Face Hub.

    Raises:
        VidsimError: no such folder, an architecture that is not supported, or damage.
    """
    folder = VisionFolder(local_folder(named, "--extractor vit:"))
    name = f"vit:{Path(named).name}"
    return ModelExtractor.of_model(name, folder.digest, folder.preprocessing(), folder.model())


class VisionFolder:
    """A folder with config.json, weights and preprocessor_config.json.

    Args:
        path: of the folder.

    Attributes:
        path: the same.
        model_type: of config.json.
        config: all of config.json.

    Raises:
        VidsimError: no config.json, an architecture that is not supported, or no weights.
    """

    def __init__(self, path: Path):
        self.path, place = path, path / "config.json"
        if not place.is_file():
            raise VidsimError(
                f"{place}: no such file; accepted is a Hugging Face folder of one of "
                f"{', '.join(FAMILIES)}"
            )
        self.config = read_json_object(place)
        kind = self.config.get("model_type")
        if not isinstance(kind, str) or kind not in FAMILIES:
            raise VidsimError(
                f"{place}: model_type {kind!r:.200}; supported are {', '.join(FAMILIES)}"
            )
        self.model_type, self._family = kind, FAMILIES[kind]
        self._weights, self._stored = read_weights(path)
        self._tensors = self.tensors(f"{self._family.patches}.weight")
        self._shape = self._vision_config(place)

    @property
    def digest(self) -> str:
        """sha256 over the weights' files and the architecture that config.json states."""
        paths = [self._weights]
        if self._weights.name.endswith(".index.json"):
            places = read_json_object(self._weights)["weight_map"]
            paths += [self.path / name for name in sorted(set(places.values()))]
        digests = [file_digest(path) for path in paths]
        return hashlib.sha256("\n".join([*digests, repr(self._shape)]).encode()).hexdigest()

    def preprocessing(self) -> Preprocessing:
        """What preprocessor_config.json says; see `read_image_processor`."""
        return read_image_processor(self.path, self.model_type, self._shape.size)

    def tensors(self, inside: str) -> PublishedTensors:
        """The folder's tensors under the prefix with which `inside` is there.

        Raises:
            VidsimError: there is no such tensor, or there are several.
        """
        ends = [name for name in self._stored if name == inside or name.endswith(f".{inside}")]
        if len(ends) != 1:
            raise VidsimError(
                f"{self._weights}: {len(ends)} tensors named ...{inside}; by its config.json the "
                f"folder has a model of type {self.model_type}, with one"
            )
        return PublishedTensors(self._stored, self._weights, ends[0].removesuffix(inside))

    def model(self) -> keras.Model:
        """The vision tower with its weights: (N, size, size, 3) -> (N, width).

        Raises:
            VidsimError: a tensor is missing or of another shape.
        """
        family, shape, tensors = self._family, self._shape, self._tensors
        width = shape.encoder.width
        model = vision_tower(shape, tensors.has(f"{family.patches}.bias"))
        patches = model.get_layer("patches")
        kernel = tensors.take(f"{family.patches}.weight", width, 3, shape.patch, shape.patch)
        bias = [tensors.take(f"{family.patches}.bias", width)] if patches.use_bias else []
        patches.set_weights([convolution_weights(kernel), *bias])
        self._fill_tokens(model.get_layer("tokens"))
        if family.pre_norm:
            fill_norm(model.get_layer("pre_norm"), tensors, family.pre_norm)
        for number in range(shape.encoder.layers):
            layer = model.get_layer(f"layer{number}")
            layer.fill(tensors, f"{family.layers}.{number}.", family.names)
        fill_norm(model.get_layer("norm"), tensors, family.norm)
        if not shape.tokens:
            model.get_layer("head").fill(tensors, "head.")
        if shape.projection:
            projection = self.tensors("visual_projection.weight")
            fill_dense(model.get_layer("projection"), projection, "visual_projection")
        return model

    def _fill_tokens(self, layer: PatchTokens) -> None:
        rows, width = layer.positions.shape
        positions = self._tensors.take_rows(self._family.positions, rows, width)
        learned = [self._tensors.take_rows(name, width) for name in self._shape.tokens]
        layer.set_weights([np.stack(learned), positions] if learned else [positions])

    def _vision_config(self, place: Path) -> VisionConfig:
        nested = "vision_config" in self.config
        stated = tower_config(self.config, "vision") if nested else self.config
        reader = ConfigReader(place, dict(self._family.defaults) | stated)
        size, patch = reader.size("image_size"), reader.size("patch_size")
        if size % patch or reader.whole("num_channels") != 3:
            raise VidsimError(
                f"{place}: pictures of {size} pixels in patches of {patch}, "
                f"{stated.get('num_channels', 3)} colours; the patch must divide the side, and the "
                "colours be 3"
            )
        projected = self._projected() if self._family is _CLIP else None
        pre_norm, tokens = bool(self._family.pre_norm), self._family.tokens
        return VisionConfig(reader.layers(), size, patch, tokens, pre_norm, projected)

    def _projected(self) -> int | None:
        """Numbers that CLIP's projection gives; None: the folder has none, only the tower."""
        shapes = [v.shape for name, v in self._stored.items() if "visual_projection." in name]
        return shapes[0][0] if len(shapes) == 1 and len(shapes[0]) == 2 else None
