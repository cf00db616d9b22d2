"""LXMERT's numbers from our layers: those of the public code, and a plain one written here.

    VIDSIM_GOLDENS=FOLDER sh test.sh tests/models/test_cross.py

FOLDER has lxmert_hf.npz (transformers' LxmertModel) and lxmert_wbdc2022.npz (the system of the
WBDC 2022 challenge): weights, inputs, every layer's output, losses and gradients.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.layers.attention import Rows
from vidsim.layers.segments import Segment, pack_segments
from vidsim.losses.classification import softmax_cross_entropy
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


def sides_of(backbone, words, word_mask, frames, frame_mask, boxes=None, types=None):
    """Both sequences before the first cross layer, and what is before each."""
    encoder = backbone.text_encoder
    word_mask, frame_mask = word_mask.astype(bool), frame_mask.astype(bool)
    found = {"text": encoder.embed(words, types)}
    found["frames"] = backbone.frame_embedding(frames, boxes)
    language = pack_segments(
        [Segment(found["text"], word_mask, np.arange(words.shape[1]))], HEADS, False
    )
    vision = pack_segments(
        [Segment(found["frames"], frame_mask, np.arange(frames.shape[1]))], HEADS, False
    )
    rows = language.rows
    for number, layer in enumerate(encoder.stack.layers):
        rows = layer(rows, packing=language.packing)
        found[f"language_{number}"] = language.packing.positions(rows)
    seen = vision.rows
    for number, layer in enumerate(backbone.relational):
        seen = layer(seen, packing=vision.packing)
        found[f"vision_{number}"] = vision.packing.positions(seen)
    return {
        "language": Rows(rows, language.packing),
        "vision": Rows(seen, vision.packing),
    }, {name: numpy_of(x) for name, x in found.items()}


def steps_of(layer, sides):
    """What a cross layer makes of both sides, step by step: (steps, sides after it)."""
    steps = {}
    for name, reading in layer.readings.items():
        (other,) = (side for key, side in sides.items() if key != name)
        packing = sides[name].packing
        rows = reading(sides[name].rows, packing=packing, read=other)
        steps[f"{name}_after_cross"] = numpy_of(packing.positions(rows))
        rows = layer.own[name].attend(rows, packing, None, training=False)
        steps[f"{name}_after_self"] = numpy_of(packing.positions(rows))
    after = layer(sides=sides)
    steps |= {name: numpy_of(side.packing.positions(side.rows)) for name, side in after.items()}
    return steps, after


def same(found, expected, mask, name):
    np.testing.assert_allclose(
        found[mask.astype(bool)], expected[mask.astype(bool)], err_msg=name, **TOLERANCE
    )


def compare_cross_layers(backbone, sides, golden, masks):
    """Every step of every cross layer; the sides after the last one."""
    ours = {"lang": "language", "vision": "vision"}
    for number, layer in enumerate(backbone.cross):
        steps, sides = steps_of(layer, sides)
        for theirs, name in ours.items():
            for step in ("_after_cross", "_after_self", ""):
                key = f"out/x{number}/{theirs}{step}"
                same(steps[name + step], golden[key], masks[name], key)
    return sides


def test_every_number_of_transformers_lxmert():
    golden = read("lxmert_hf.npz")
    tensors = named_from(golden, "w/")
    features = golden["in/visual_feats"]
    backbone = built_for(tensors, features.shape[-1], visual_embedding="boxed")
    words, word_mask = golden["in/input_ids"], golden["in/attention_mask"]
    frame_mask = golden["in/visual_attention_mask"]
    sides, before = sides_of(
        backbone,
        words,
        word_mask,
        features,
        frame_mask,
        golden["in/visual_pos"],
        golden["in/token_type_ids"],
    )
    masks = {"language": word_mask, "vision": frame_mask}
    same(before["text"], golden["out/text_embedding"], word_mask, "text embedding")
    same(before["frames"], golden["out/visual_embedding"], frame_mask, "visual embedding")
    for number in range(len(backbone.text_encoder.stack.layers)):
        key = f"language_hidden_{number}"
        same(before[f"language_{number}"], golden[f"out/{key}"], word_mask, key)
    for number in range(len(backbone.relational)):
        key = f"vision_hidden_{number}"
        same(before[f"vision_{number}"], golden[f"out/{key}"], frame_mask, key)
    after = compare_cross_layers(backbone, sides, golden, masks)
    language, vision = (side.packing.positions(side.rows) for side in after.values())
    same(numpy_of(language), golden["out/language_output"], word_mask, "language")
    same(numpy_of(vision), golden["out/vision_output"], frame_mask, "vision")
    pooled = numpy_of(backbone.pooler(language[:, 0]))
    np.testing.assert_allclose(pooled, golden["out/pooled_output"], **TOLERANCE)


def wbdc(golden):
    """The classifier's model with its weights: (backbone, head, inputs)."""
    named = named_from(golden, "w0/encoder.bert.")
    backbone = built_for(named, golden["in/frame_input"].shape[-1])
    backbone.frame_embedding.project.kernel.assign(golden["w0/video_dense.weight"].T)
    backbone.frame_embedding.project.bias.assign(golden["w0/video_dense.bias"])
    classes, width = golden["w0/classifier.weight"].shape
    head = ClassHead(range(classes), width)
    head.kernel.assign(golden["w0/classifier.weight"].T)
    head.bias.assign(golden["w0/classifier.bias"])
    inputs = {
        schema.TOKEN_IDS: golden["in/text_input"],
        schema.TOKEN_MASK: golden["in/text_mask"].astype(bool),
        schema.FRAMES: golden["in/frame_input"],
        schema.FRAME_MASK: golden["in/frame_mask"].astype(bool),
    }
    return backbone, head, inputs


def test_every_number_of_the_wbdc_model():
    """Its text has a hole: a hidden token between two that are read."""
    golden = read("lxmert_wbdc2022.npz")
    backbone, head, inputs = wbdc(golden)
    masks = {"language": inputs[schema.TOKEN_MASK], "vision": inputs[schema.FRAME_MASK]}
    sides, before = sides_of(
        backbone,
        inputs[schema.TOKEN_IDS],
        masks["language"],
        inputs[schema.FRAMES],
        masks["vision"],
    )
    same(before["text"], golden["out/text_embedding"], masks["language"], "text")
    same(before["frames"], golden["out/frame_feature"], masks["vision"], "frames")
    for number in range(len(backbone.text_encoder.stack.layers)):
        key = f"out/lang_layer_{number}"
        same(before[f"language_{number}"], golden[key], masks["language"], key)
    compare_cross_layers(backbone, sides, golden, masks)

    outputs = backbone(inputs, training=False)
    pooled = outputs[schema.MATCH_VECTOR]
    np.testing.assert_allclose(numpy_of(pooled), golden["out/pooled"], **TOLERANCE)
    last = len(backbone.cross) - 1
    words, frames = (outputs[key] for key in (schema.HIDDEN_STATES, schema.FRAME_STATES))
    same(numpy_of(words), golden[f"out/x{last}/lang"], masks["language"], "text")
    same(numpy_of(frames), golden[f"out/x{last}/vision"], masks["vision"], "frames")
    logits = head(pooled)
    np.testing.assert_allclose(numpy_of(logits), golden["out/logits"], **TOLERANCE)
    labels = golden["in/label"][:, 0]
    for smoothing, key in ((0.0, "out/loss_plain"), (0.1, "out/loss_label_smoothed_0.1")):
        loss = numpy_of(ops.mean(softmax_cross_entropy(labels, logits, smoothing)))
        np.testing.assert_allclose(loss, golden[key], rtol=1e-5)


PARTS = (  # those of the encoder's weights whose gradients the file has
    "embeddings.word_embeddings.weight",
    "embeddings.token_type_embeddings.weight",
    "embeddings.position_embeddings.weight",
    "encoder.x_layers.0.visual_attention.att.query.weight",
    "encoder.x_layers.0.visn_inter.dense.weight",
    "encoder.x_layers.1.lang_inter.dense.weight",
)
FROZEN = ("word_embeddings", "position_embeddings", "token_type_embeddings")


def test_gradients_of_the_wbdc_model(differentiate_scalar):
    """Row 0 of its three tables is frozen by PyTorch's padding_idx; ours learn."""
    golden = read("lxmert_wbdc2022.npz")
    backbone, head, inputs = wbdc(golden)
    published = backbone.published_weights()
    variables = {f"encoder.bert.{name}": published[name] for name in PARTS}
    variables |= {"classifier.weight": head.kernel, "classifier.bias": head.bias}
    variables["video_dense.weight"] = backbone.frame_embedding.project.kernel
    labels = golden["in/label"][:, 0]

    def loss():
        logits = head(backbone(inputs, training=False)[schema.MATCH_VECTOR])
        return ops.mean(softmax_cross_entropy(labels, logits, 0.1))

    value, gradients = differentiate_scalar(loss, variables)
    np.testing.assert_allclose(value, golden["fgm/loss_clean"], rtol=1e-5)
    for name, found in gradients.items():
        expected = golden[f"fgm/grad_clean/{name}"]
        found = found.T if variables[name].path.endswith("/kernel") else found
        start = 1 if any(table in name for table in FROZEN) else 0
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            found[start:], expected[start:], atol=1e-4 * scale, rtol=1e-4, err_msg=name
        )


@pytest.fixture
def differentiate_scalar():
    """`differentiate_scalar(loss, variables)`: its value, and the gradients by the same names."""
    import keras

    def by_tensorflow(loss, variables):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        found = tape.gradient(value, [variable.value for variable in variables.values()])
        return value, [tf.convert_to_tensor(gradient) for gradient in found]

    def by_jax(loss, variables):
        import jax

        def of(values):
            with keras.StatelessScope(list(zip(variables.values(), values, strict=True))):
                return loss()

        return jax.value_and_grad(of)([variable.value for variable in variables.values()])

    def run(loss, variables):
        kind = by_tensorflow if keras.backend.backend() == "tensorflow" else by_jax
        value, gradients = kind(loss, variables)
        named = zip(variables, gradients, strict=True)
        return float(numpy_of(value)), {name: np.asarray(g) for name, g in named}

    return run
