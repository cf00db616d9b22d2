"""Models with the numbers of LXMERT's public code, read from VIDSIM_GOLDENS."""

import os
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.models.class_scorer import ClassHead
from vidsim.models.configs import build_backbone
from vidsim.models.cross_config import CrossConfig
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.input_spec import InputSpec

GOLDENS = "VIDSIM_GOLDENS"
TOLERANCE = {"atol": 2e-5, "rtol": 0}
HEADS = 4  # no array of the files says it


def read(name):
    """The arrays of one file by name."""
    folder = os.environ.get(GOLDENS)
    if not folder:
        pytest.skip(f"set {GOLDENS} to the folder of {name} to compare with the public code")
    with np.load(Path(folder) / name) as file:
        return {key: file[key] for key in file.files}


def numpy_of(x):
    return ops.convert_to_numpy(x)


def named_from(weights, prefix):
    """Tensors by the names that `published_weights` has, from those of a file."""
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def count(tensors, layers):
    """How many layers of a kind there are."""
    return len({k.split(".")[2] for k in tensors if k.startswith(f"encoder.{layers}.")})


def built_for(tensors, frame_size, dropout=0.0, **fields):
    """A model of the sizes that the tensors have, with their values; every name is used."""
    words = tensors["embeddings.word_embeddings.weight"]
    config = CrossConfig(
        cross_layers=count(tensors, "x_layers"),
        relational_layers=count(tensors, "r_layers"),
        encoder_dropout=dropout,
        dropout=dropout,
        bert_seq_length=8,
        **fields,
    )
    encoder = EncoderConfig(
        vocab_size=len(words),
        width=words.shape[1],
        layers=count(tensors, "layer"),
        heads=HEADS,
        intermediate=len(tensors["encoder.layer.0.intermediate.dense.bias"]),
        max_positions=len(tensors["embeddings.position_embeddings.weight"]),
        type_vocab_size=len(tensors["embeddings.token_type_embeddings.weight"]),
        dropout=dropout,
        attention_dropout=dropout,
    )
    backbone = build_backbone(config, InputSpec(encoder, 0, {"frames": frame_size}))
    wanted = backbone.published_weights()
    assert set(wanted) == set(tensors)
    for name, variable in wanted.items():
        kernel = variable.path.endswith("/kernel")
        variable.assign(tensors[name].T if kernel else tensors[name])
    return backbone


def wbdc(golden):
    """The classifier's model with its weights: (backbone, head, inputs)."""
    named = named_from(golden, "w0/encoder.bert.")
    backbone = built_for(named, golden["in/frame_input"].shape[-1])
    backbone.frame_embedding.project.kernel.assign(golden["w0/video_dense.weight"].T)
    backbone.frame_embedding.project.bias.assign(golden["w0/video_dense.bias"])
    classes, width = golden["w0/classifier.weight"].shape
    head = ClassHead(classes, width)
    head.kernel.assign(golden["w0/classifier.weight"].T)
    head.bias.assign(golden["w0/classifier.bias"])
    inputs = {
        schema.TOKEN_IDS: golden["in/text_input"],
        schema.TOKEN_MASK: golden["in/text_mask"].astype(bool),
        schema.FRAMES: golden["in/frame_input"],
        schema.FRAME_MASK: golden["in/frame_mask"].astype(bool),
    }
    return backbone, head, inputs
