"""LXMERT's numbers from our layers: those of the public code, and a plain one written here.

    VIDSIM_GOLDENS=FOLDER sh test.sh tests/models/test_cross.py

FOLDER has lxmert_hf.npz (transformers' LxmertModel) and lxmert_wbdc2022.npz (the system of the
WBDC 2022 challenge): weights, inputs, every layer's output, losses and gradients.
"""

import numpy as np
from keras import ops
from published_lxmert import HEADS, TOLERANCE, built_for, named_from, numpy_of, read, wbdc

from vidsim import schema
from vidsim.layers.attention import Rows
from vidsim.layers.segments import Segment, pack_segments
from vidsim.losses.classification import softmax_cross_entropy


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
