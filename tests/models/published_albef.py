"""The published ALBEF's arrays (VIDSIM_GOLDENS) in a model of this package."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.models import albef
from vidsim.models.albef_config import AlbefConfig
from vidsim.models.configs import build_backbone
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.input_spec import InputSpec
from vidsim.pretrained.albef_names import published_names

GOLDENS = "VIDSIM_GOLDENS"
HEADS = 4


def golden(name):
    """The arrays of one file, or a skipped test."""
    folder = os.environ.get(GOLDENS)
    if not folder:
        pytest.skip(f"set {GOLDENS} to the folder of {name} to compare with the published code")
    with np.load(Path(folder) / name) as arrays:
        return dict(arrays)


class LinearFrames(keras.layers.Layer):
    """Stands where the goldens have one linear layer for the vision transformer."""

    def __init__(self, config, *_, **kwargs):
        super().__init__(name="frame_encoder")
        self.project = keras.layers.Dense(config.width, name="project")

    def build(self, frames_shape, mask_shape=None):
        self.project.build(frames_shape)

    def call(self, frames, mask, training=None):
        return self.project(ops.cast(frames, "float32")), ops.cast(mask, "bool")


def build(arrays, monkeypatch, prefix="text_encoder.bert."):
    """A backbone of the arrays' sizes, without dropout."""
    monkeypatch.setattr(albef, "FrameEncoder", LinearFrames)
    words = arrays[f"w0/{prefix}embeddings.word_embeddings.weight"]
    positions = arrays[f"w0/{prefix}embeddings.position_embeddings.weight"]
    layers = {key.split("layer.")[1].split(".")[0] for key in arrays if ".layer." in key}
    fusion = {key.split("layer.")[1].split(".")[0] for key in arrays if "crossattention" in key}
    width = words.shape[1]
    inner = arrays[f"w0/{prefix}encoder.layer.0.intermediate.dense.bias"].shape[0]
    size, frame = arrays["w0/vision_proj.weight"].shape[0], arrays["w0/visual_encoder.proj.weight"]
    encoder = EncoderConfig(
        vocab_size=len(words),
        width=width,
        layers=len(layers),
        heads=HEADS,
        intermediate=inner,
        max_positions=len(positions),
        dropout=0.0,
        attention_dropout=0.0,
    )
    config = AlbefConfig(fusion_layers=len(fusion), hidden_size=size, dropout=0.0)
    return build_backbone(config, InputSpec(encoder, 0, {"frames": frame.shape[1]}))


def named(backbone, objectives=(), prefix="text_encoder.bert."):
    """Every variable that the published code has too, by its name there."""
    project = backbone.frame_encoder.project
    found = {
        "visual_encoder.proj.weight": project.kernel,
        "visual_encoder.proj.bias": project.bias,
    }
    for name, variable in published_names(backbone).items():
        inside = name.startswith(("embeddings.", "encoder."))
        found[f"{prefix if inside else ''}{name}"] = variable
    for objective in objectives:
        if objective.name == "itc":
            found["temp"] = objective.learned
        if objective.name == "match" and hasattr(objective, "head"):
            found |= {
                "itm_head.weight": objective.head.kernel,
                "itm_head.bias": objective.head.bias,
            }
        if objective.name == "mlm":
            heads = objective.published_weights()
            found |= {f"text_encoder.{name}": variable for name, variable in heads.items()}
    return found


def ours(variable, value):
    """A published array as this package holds it: dense kernels are (in, out)."""
    return value.T if variable.path.endswith("kernel") else value


def momentum_name(name):
    """As the published code names the momentum twin: text_proj_m.weight."""
    first, _, rest = name.partition(".")
    return f"{first}_m.{rest}"


def load(arrays, variables, group="w0", rename=lambda name: name):
    for name, variable in variables.items():
        variable.assign(ours(variable, arrays[f"{group}/{rename(name)}"]))


def batch(arrays, group):
    """A batch's inputs; the published masked ids too, where there are some."""
    tokens = arrays[f"{group}/image_tokens"]
    made = {
        schema.TOKEN_IDS: arrays[f"{group}/input_ids"],
        schema.TOKEN_MASK: arrays[f"{group}/attention_mask"].astype(bool),
        schema.FRAMES: tokens,
        schema.FRAME_MASK: np.ones(tokens.shape[:2], bool),
    }
    if f"{group}/mlm_labels" not in arrays:
        return made
    labels = arrays[f"{group}/mlm_labels"]
    most = (labels >= 0).sum(axis=1).max()
    places = np.argsort(labels < 0, axis=1, kind="stable")[:, :most].astype("int32")
    found = np.take_along_axis(labels, places, axis=1)
    return made | {
        schema.UNMASKED_IDS: arrays[f"{group}/input_ids"],
        schema.TOKEN_IDS: arrays[f"{group}/mlm_input_ids"],
        schema.MLM_POSITIONS: places,
        schema.MLM_LABELS: np.maximum(found, 0),
        schema.MLM_WEIGHTS: (found >= 0).astype("float32"),
    }


def close(found, expected, what, atol=2e-5, rtol=0.0):
    found = found.numpy() if hasattr(found, "numpy") else found
    np.testing.assert_allclose(found, expected, atol=atol, rtol=rtol, err_msg=what)
