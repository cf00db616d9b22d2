"""ActBERT: parity with the public code of PaddleVideo, forward, losses and gradients."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.layers.attention import Rows
from vidsim.layers.packing import EveryPosition
from vidsim.layers.tangled_layer import ACTIONS, REGIONS, TEXT, stretch, stretched
from vidsim.losses.masked_actions import masked_action_classes
from vidsim.losses.masked_frames import masked_frame_classes
from vidsim.losses.masked_lm import masked_lm
from vidsim.losses.matching import match_loss
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.tangled_config import TangledConfig
from vidsim.models.transformer_stack import weight_and_bias
from vidsim.objectives.configs import (
    MaskedActionsConfig,
    MaskedFramesConfig,
    MaskedLMConfig,
    MatchConfig,
)
from vidsim.objectives.objective import build_objectives

NUMBER = {REGIONS: 1, TEXT: 2, ACTIONS: 3}
LETTER = {REGIONS: "v", TEXT: "t", ACTIONS: "a"}


@pytest.fixture(scope="module")
def goldens():
    folder = os.environ.get("VIDSIM_GOLDENS")
    if not folder:
        pytest.skip("set VIDSIM_GOLDENS to the folder of the published systems' reference numbers")
    return np.load(Path(folder) / "actbert.npz")


def config_of(w, heads):
    """In the public code's form."""

    def count(name):
        return len({key.split(".")[3] for key in w if key.startswith(f"w/bert.encoder.{name}.")})

    def inner(name):
        return w[f"w/bert.encoder.{name}.0.intermediate.dense.weight"].shape[1]

    _, region = w["w/bert.v_embeddings.image_embeddings.weight"].shape
    width, joint = w["w/bert.t_pooler.dense.weight"].shape
    return TangledConfig(
        encoder_layers=count("layer"),
        encoder_width=width,
        encoder_heads=heads(width),
        encoder_intermediate=inner("layer"),
        region_layers=count("v_layer"),
        region_width=region,
        region_heads=heads(region),
        region_intermediate=inner("v_layer"),
        action_layers=count("a_layer"),
        action_heads=heads(width),
        action_intermediate=inner("a_layer"),
        tangled_layers=count("c_layer"),
        tangled_width=joint,
        tangled_heads=heads(joint),
        published_quirks=True,
        encoder_dropout=0.0,
        dropout=0.0,
        hidden_size=8,
    )


def build(w):
    """The golden model's backbone with its weights; 4 heads where they divide, else 3."""
    config = config_of(w, lambda width: 4 if width % 3 else 3)
    vocabulary, positions = (
        len(w[f"w/bert.embeddings.{name}_embeddings.weight"]) for name in ("word", "position")
    )
    encoder = replace(config.encoder(vocabulary), max_positions=positions)
    widths = {
        schema.REGION_CLASSES: w["w/cls.imagePredictions.decoder.weight"].shape[1],
        schema.ACTION_LABELS: w["w/cls.actionPredictions.decoder.weight"].shape[1],
        schema.REGIONS: len(w["w/bert.v_embeddings.image_embeddings.weight"]),
        schema.REGION_BOXES: 5,
        schema.ACTIONS: len(w["w/bert.a_embeddings.action_embeddings.weight"]),
    }
    backbone = build_backbone(config, InputSpec(encoder, 0, widths, ("title",)))
    for name, variable in published(backbone).items():
        variable.assign(w[f"w/bert.{name}"])
    return backbone


def published(backbone):
    """Every variable by the public code's name, without "bert."."""
    named = dict(backbone.published_weights())
    stack = {"v_layer": REGIONS, "a_layer": ACTIONS}
    for theirs, ours in stack.items():
        for i, layer in enumerate(backbone.own[ours]):
            at = f"encoder.{theirs}.{i}"
            for part in ("query", "key", "value"):
                dense = getattr(layer.attention, f"{part}_dense")
                named |= weight_and_bias(f"{at}.attention.self.{part}", dense)
            named |= weight_and_bias(f"{at}.attention.output.dense", layer.attention.output_dense)
            named |= weight_and_bias(f"{at}.attention.output.LayerNorm", layer.attention_norm)
            named |= weight_and_bias(f"{at}.intermediate.dense", layer.expand)
            named |= weight_and_bias(f"{at}.output.dense", layer.contract)
            named |= weight_and_bias(f"{at}.output.LayerNorm", layer.output_norm)
    for i, layer in enumerate(backbone.tangled):
        at = f"encoder.c_layer.{i}"
        for part in ("key_at", "value_at", "key_av"):
            named |= weight_and_bias(f"{at}.ent_attention.{part}", getattr(layer, part))
        for stream, number in NUMBER.items():
            own, letter = getattr(layer, stream), LETTER[stream]
            for part in ("query", "key", "value"):
                named |= weight_and_bias(f"{at}.ent_attention.{part}{number}", getattr(own, part))
            named |= weight_and_bias(f"{at}.ent_output.dense{number}", own.output_dense)
            named |= weight_and_bias(f"{at}.ent_output.LayerNorm{number}", own.attention_norm)
            named |= weight_and_bias(f"{at}.{letter}_intermediate.dense", own.expand)
            named |= weight_and_bias(f"{at}.{letter}_output.dense", own.contract)
            named |= weight_and_bias(f"{at}.{letter}_output.LayerNorm", own.output_norm)
    regions, actions = backbone.embeddings[REGIONS], backbone.embeddings[ACTIONS]
    named |= weight_and_bias("v_embeddings.image_embeddings", regions.project)
    named |= weight_and_bias("v_embeddings.image_location_embeddings", regions.box)
    named |= weight_and_bias("v_embeddings.LayerNorm", regions.norm)
    named |= weight_and_bias("a_embeddings.action_embeddings", actions.project)
    named |= weight_and_bias("a_embeddings.LayerNorm", actions.norm)
    for stream, letter in LETTER.items():
        named |= weight_and_bias(f"{letter}_pooler.dense", backbone.poolers[stream])
    return named


def masks_of(g):
    names = {TEXT: "text_mask", REGIONS: "image_mask", ACTIONS: "action_mask"}
    return {stream: g[f"in/{name}"].astype(bool) for stream, name in names.items()}


def embedded(backbone, g):
    text = backbone.text_encoder.embed(g["in/text_ids"], g["in/token_type_ids"])
    regions = backbone.embeddings[REGIONS](g["in/image_feat"], g["in/image_loc"])
    return {
        TEXT: text,
        REGIONS: regions,
        ACTIONS: backbone.embeddings[ACTIONS](g["in/action_feat"]),
    }


def close(found, expected, mask=None):
    found = np.array(found)
    if mask is not None:
        assert mask.any()
        found, expected = found[mask], expected[mask]
    np.testing.assert_allclose(found, expected, atol=2e-5, rtol=1e-5)


WORDS = {TEXT: "text", REGIONS: "region", ACTIONS: "action"}


def test_published_forward_pass(goldens):
    """Embeddings, states and poolers; of words and regions where they are real, of all actions."""
    backbone, masks = build(goldens), masks_of(goldens)
    assert len(published(backbone)) == len(list(backbone.trainable_weights)) - 2  # project
    parts = embedded(backbone, goldens)
    compared = {TEXT: masks[TEXT], REGIONS: None, ACTIONS: None}
    for stream, x in parts.items():
        close(x, goldens[f"out/{WORDS[stream]}_embedding"], compared[stream])
    states = backbone.encode(*parts.values(), masks)
    for stream, x in states.items():
        expected = goldens[f"out/sequence_{WORDS[stream]}"]
        close(x, expected, None if stream == ACTIONS else masks[stream])
        close(backbone.poolers[stream](x[:, 0]), goldens[f"out/pooled_{WORDS[stream]}"])
    pooled = [goldens[f"out/pooled_{name}"] for name in ("text", "region", "action")]
    close(backbone.fuse(states, masks), pooled[0] * pooled[1] + pooled[2])


def test_published_tangled_layers(goldens):
    """Each layer by itself, on the recorded inputs."""
    backbone, masks = build(goldens), masks_of(goldens)
    heads = backbone.tangled_heads
    for number, layer in enumerate(backbone.tangled):
        streams, packings = {}, {}
        for stream, mask in masks.items():
            packing = EveryPosition(ops.convert_to_tensor(mask), heads)
            x = goldens[f"tangled{number}/in_{WORDS[stream]}"]
            streams[stream], packings[stream] = Rows(packing.rows(x), packing), packing
        stretches = {s: stretch(masks[s], masks[ACTIONS], True) for s in (TEXT, REGIONS)}
        _check_found(layer, number, streams, stretches, goldens)
        out = layer(streams=streams, stretches=stretches)
        for stream in masks:
            expected = goldens[f"tangled{number}/out_{WORDS[stream]}"]
            close(packings[stream].positions(out[stream]), expected)


def _check_found(layer, number, streams, stretches, goldens):
    """What actions find, before and after it is stretched."""
    projected = {name: getattr(layer, name).project(of.rows) for name, of in streams.items()}
    of_actions = streams[ACTIONS].packing
    for name, source in ((TEXT, REGIONS), (REGIONS, TEXT)):
        found = layer._found_by_actions(source, projected, streams, None)
        letters = {REGIONS: "av", TEXT: "at"}[source]
        key, value = getattr(layer, f"key_{letters}")(found), layer.value_at(found)
        before = f"tangled{number}/{{}}_before_interpolation"
        close(of_actions.positions(key), goldens[before.format(f"key_{letters}")])
        close(of_actions.positions(value), goldens[before.format(f"value_of_{letters}_context")])
        added = stretched(key, value, stretches[name], streams[ACTIONS], streams[name])
        for kind, rows in zip(("key", "value"), added, strict=True):
            recorded = f"tangled{number}/{kind}_{letters}_for_{WORDS[name]}_interpolated"
            close(streams[name].packing.positions(rows), goldens[recorded])


def test_published_stretch(goldens):
    for name in goldens.files:
        if name.startswith("interp/"):
            count, length = (int(part) for part in name.split("_")[2:5:2])
            ones = np.ones((1, length)), np.ones((1, count))
            for published_form in (True, False):
                found = np.array(stretch(*ones, published_form))[0]
                np.testing.assert_array_equal(found.argmax(axis=1), goldens[name])
                np.testing.assert_array_equal(found.sum(axis=1), 1)


HEADS = {"imagePredictions": "masked_frames", "actionPredictions": "masked_actions"}


@pytest.fixture
def heads(goldens):
    """The backbone, and the four objectives with the public code's heads."""
    backbone = build(goldens)
    configs = [
        MaskedLMConfig(mlm_weight=1.0),
        MaskedFramesConfig(masked_frames_weight=1.0, masked_frames_form="auto"),
        MaskedActionsConfig(masked_actions_weight=1.0),
        MatchConfig(match_weight=1.0),
    ]
    made = build_objectives(configs, backbone, backbone.output_keys)
    by_name = {objective.name: objective for objective in made}
    for name, variable in by_name["mlm"].published_weights().items():
        variable.assign(
            goldens[f"w/{name.replace('predictions.bias', 'predictions.decoder_bias')}"]
        )
    for theirs, ours in HEADS.items():
        head, at = by_name[ours], f"w/cls.{theirs}"
        head.transform.set_weights(_pair(goldens, f"{at}.transform.dense"))
        head.norm.set_weights(_pair(goldens, f"{at}.transform.LayerNorm"))
        head.decoder.set_weights(_pair(goldens, f"{at}.decoder"))
    match = _pair(goldens, "w/cls.seq_relationship")
    by_name["match"].head.set_weights([x[..., ::-1] for x in match])  # column 0 there: they match
    return backbone, by_name


def _pair(goldens, name):
    return [goldens[f"{name}.weight"], goldens[f"{name}.bias"]]


def states_of(backbone, g):
    masks = masks_of(g)
    states = backbone.encode(*embedded(backbone, g).values(), masks)
    return {
        schema.HIDDEN_STATES: states[TEXT],
        schema.FRAME_STATES: states[REGIONS][:, 1:],
        schema.ACTION_STATES: states[ACTIONS],
        schema.MATCH_VECTOR: backbone.fuse(states, masks),
    }


def labels_of(g):
    """The golden labels as our objectives read them; every position is a slot of masked words."""
    words, actions = g["loss_in/text_labels"], g["loss_in/action_label"]
    classes = g["w/cls.actionPredictions.decoder.weight"].shape[1]
    masks = masks_of(g)
    return {
        schema.MLM_POSITIONS: np.broadcast_to(
            np.arange(words.shape[1], dtype="int32"), words.shape
        ),
        schema.MLM_LABELS: np.maximum(words, 0),
        schema.MLM_WEIGHTS: (words >= 0).astype("float32"),
        schema.REGIONS: g["in/image_feat"][:, 1:],
        schema.REGION_MASK: masks[REGIONS][:, 1:] | (g["loss_in/image_label"] == 1),
        schema.REGION_CLASSES: g["loss_in/image_target"],
        schema.FRAMES_CHOSEN: g["loss_in/image_label"] == 1,
        schema.ACTION_MASK: masks[ACTIONS] | (actions >= 0),
        schema.ACTIONS_CHOSEN: actions >= 0,
        schema.ACTION_LABELS: np.eye(classes)[np.maximum(actions, 0)].sum(axis=1),
        schema.MATCHED: g["loss_in/next_sentence_label"] == 0,
    }


NAMES = {"mlm": "text", "masked_frames": "region", "masked_actions": "action", "match": "match"}


def test_published_scores_and_losses(goldens, heads):
    """`_era`: a mean over the labels that are not ignored."""
    backbone, by_name = heads
    outputs, inputs = states_of(backbone, goldens), labels_of(goldens)
    close(by_name["masked_frames"].predictions(outputs), goldens["out/scores_region"][:, 1:])
    close(by_name["masked_actions"].logits(outputs), goldens["out/scores_action"])
    match = by_name["match"].head(outputs[schema.MATCH_VECTOR])
    close(np.array(match)[:, ::-1], goldens["out/scores_match"])
    total = 0.0
    for name, objective in by_name.items():
        value = float(_value(objective, outputs, inputs, goldens))
        assert value == pytest.approx(float(goldens[f"loss_era/{NAMES[name]}"]), rel=1e-5)
        total += value
    assert total == pytest.approx(float(goldens["loss_era/total"]), rel=1e-5)


def _value(objective, outputs, inputs, g):
    """The objective; of actions, with a class for each, the loss behind it."""
    if objective.name != "masked_actions":
        return objective(outputs, inputs)
    labels = g["loss_in/action_label"]
    logits = objective.logits(outputs)
    targets = np.eye(logits.shape[-1], dtype="float32")[np.maximum(labels, 0)]
    return masked_action_classes(targets, logits, labels >= 0)


def test_published_losses_of_given_scores(goldens):
    g, inputs = goldens, labels_of(goldens)
    scores = {
        name: g[f"loss_given_era/in_scores_{name}"]
        if f"loss_given_era/in_scores_{name}" in g
        else g[f"loss_given/in_scores_{name}"]
        for name in NAMES.values()
    }
    labels = g["loss_in/action_label"]
    targets = np.eye(scores["action"].shape[-1], dtype="float32")[np.maximum(labels, 0)]
    found = {
        "text": masked_lm(inputs[schema.MLM_LABELS], scores["text"], inputs[schema.MLM_WEIGHTS]),
        "region": masked_frame_classes(
            inputs[schema.REGION_CLASSES], scores["region"][:, 1:], inputs[schema.FRAMES_CHOSEN]
        ),
        "action": masked_action_classes(targets, scores["action"], labels >= 0),
        "match": ops.mean(match_loss(inputs[schema.MATCHED], scores["match"][:, ::-1])),
    }
    for name, value in found.items():
        assert float(value) == pytest.approx(float(g[f"loss_given_era/{name}"]), rel=1e-5)
    none = masked_action_classes(targets, scores["action"], np.zeros_like(labels))
    assert float(none) == 0
    rest = float(found["region"]) + float(found["match"])
    expected = g["loss_given_era/total_when_no_text_and_no_action_is_masked"].item()
    assert rest == pytest.approx(expected, rel=1e-5)


def test_published_gradients(goldens, heads):
    """Of the four losses together; the table's, from look-ups and as the decoder of words."""
    import tensorflow as tf

    backbone, by_name = heads
    inputs = labels_of(goldens)
    named = {f"bert.{name}": variable for name, variable in published(backbone).items()}
    named["cls.predictions.decoder_bias"] = by_name["mlm"].bias
    wanted = [name.split("/")[1] for name in goldens.files if name.startswith("grad_era/")]
    assert len(wanted) >= 6
    with tf.GradientTape() as tape:
        outputs = states_of(backbone, goldens)
        losses = [_value(objective, outputs, inputs, goldens) for objective in by_name.values()]
        total = tf.add_n(losses)
    gradients = tape.gradient(total, [named[name].value for name in wanted])
    for name, gradient in zip(wanted, gradients, strict=True):
        found, expected = np.array(tf.convert_to_tensor(gradient)), goldens[f"grad_era/{name}"]
        assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected), name
