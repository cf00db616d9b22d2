"""ActBERT: parity with the public code of PaddleVideo, forward, losses and gradients."""

import os
from pathlib import Path

import numpy as np
import pytest
from actbert_goldens import WORDS, build, close, embedded, masks_of, published
from keras import ops

from vidsim import schema
from vidsim.layers.attention import Rows
from vidsim.layers.packing import EveryPosition
from vidsim.layers.tangled_layer import ACTIONS, REGIONS, TEXT, stretch, stretched
from vidsim.losses.masked_actions import masked_action_classes
from vidsim.objectives.configs import (
    MaskedActionsConfig,
    MaskedFramesConfig,
    MaskedLMConfig,
    MatchConfig,
)
from vidsim.objectives.objective import build_objectives


@pytest.fixture(scope="module")
def goldens():
    folder = os.environ.get("VIDSIM_GOLDENS")
    if not folder:
        pytest.skip("set VIDSIM_GOLDENS to the folder of the published systems' reference numbers")
    return np.load(Path(folder) / "actbert.npz")


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
        head, at = by_name[ours].head, f"w/cls.{theirs}"
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
    close(
        by_name["masked_frames"].head(outputs[schema.FRAME_STATES]),
        goldens["out/scores_region"][:, 1:],
    )
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
