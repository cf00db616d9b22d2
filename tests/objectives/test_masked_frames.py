"""The masked-frame head and its losses: as the winner's public code gives them."""

from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.losses.masked_frames import (
    masked_frame_classes,
    masked_frame_nce,
    masked_frame_regression,
)
from vidsim.objectives.configs import MaskedFramesConfig
from vidsim.objectives.masked_frames import MaskedFramesObjective
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.corruption import Corruption, mismatched_rows
from vidsim.recipes.recipe import PretrainConfig

FILE = "qq2021_winner_mfm.npz"


def number(x):
    return float(ops.convert_to_numpy(x))


@pytest.fixture
def golden(goldens):
    return goldens(FILE)


def test_head_and_loss_are_the_published_ones(golden):
    w = {name[19:]: golden[name] for name in golden if name.startswith("head_w/predictions.")}
    frame_size, width = w["decoder.weight"].shape
    widths = {schema.FRAMES: frame_size}
    spec = SimpleNamespace(encoder=SimpleNamespace(layer_norm_eps=1e-12), widths=widths)
    backbone = SimpleNamespace(output_widths={schema.FRAME_STATES: width}, spec=spec)
    objective = MaskedFramesObjective(MaskedFramesConfig(1.0), backbone)
    objective.head.transform.set_weights([w["transform.dense.weight"].T, w["transform.dense.bias"]])
    objective.head.norm.set_weights(
        [w["transform.LayerNorm.weight"], w["transform.LayerNorm.bias"]]
    )
    objective.head.decoder.set_weights([w["decoder.weight"].T, w["bias"]])
    states = golden["head/in"]
    out = objective.head(states)
    np.testing.assert_allclose(ops.convert_to_numpy(out), golden["head/out"], atol=2e-5)
    inputs = {
        schema.FRAMES: golden["mfm/true_frames"],
        schema.FRAME_MASK: golden["mfm/frame_mask"],
        schema.FRAMES_CHOSEN: golden["mfm/label_index"] != -100,
    }
    found = number(objective({schema.FRAME_STATES: states}, inputs))
    assert found == pytest.approx(float(golden["head/loss"]), rel=1e-5)


def test_the_second_half_is_exchanged_as_published(golden):
    labels = golden["shuffle/label_of_6"]
    rows = mismatched_rows(len(labels), "reversed", np.random.default_rng(0))
    np.testing.assert_array_equal(rows == np.arange(len(labels)), labels)


@pytest.mark.parametrize("form", ["nce", "soft", "regression"])
def test_each_form_reads_what_it_says(form, build_smallest):
    """A chosen frame that is padding is not predicted; only nce compares over the whole batch."""
    backbone = build_smallest("joint", inputs={"widths": {"frames": 3}})
    config = MaskedFramesConfig(0.5, form, masked_frames_temperature=0.5)
    (objective,) = build_objectives([config], backbone, backbone.output_keys)
    rng = np.random.default_rng(0)
    states = rng.normal(0, 1, (2, 4, 16)).astype("float32")
    frames = rng.normal(0, 1, (2, 4, 3)).astype("float16")
    mask = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    chosen = np.array([[0, 1, 1, 1], [1, 0, 0, 1]], bool)
    inputs = {schema.FRAMES: frames, schema.FRAME_MASK: mask, schema.FRAMES_CHOSEN: chosen}
    outputs = {schema.FRAME_STATES: states}
    predicted = objective.head(states)
    flat = ops.reshape(predicted, (8, 3)), np.arange(8), (mask & chosen).reshape(8)
    real = mask & chosen
    positive = np.maximum(frames.astype("float32"), 0)
    shares = positive / np.maximum(positive.sum(axis=-1, keepdims=True), 1e-9)
    expected = {
        "nce": masked_frame_nce(*flat, frames.reshape(8, 3), mask.reshape(8), 0.5),
        "soft": masked_frame_classes(shares, predicted, real),
        "regression": masked_frame_regression(predicted, frames, real),
    }
    assert number(objective(outputs, inputs)) == pytest.approx(number(expected[form]), rel=1e-6)
    count = objective.count(outputs, inputs)
    assert count is None if form == "nce" else number(count) == 3
    empty = {key: value[:, :0] for key, value in (inputs | outputs).items()}
    assert number(objective(empty, empty)) == 0


def test_many_frames_are_all_counted(build_smallest):
    """Of 480 frames the head reads 0.27 x 480 + 16 at most, and finds all that were chosen."""
    backbone = build_smallest("joint", inputs={"widths": {"frames": 3}})
    objective = MaskedFramesObjective(MaskedFramesConfig(1.0), backbone)
    rng = np.random.default_rng(0)
    states = rng.normal(0, 1, (15, 32, 16)).astype("float32")
    frames = rng.normal(0, 1, (15, 32, 3)).astype("float16")
    chosen = rng.random((15, 32)) < 0.135
    chosen[0] = True  # also where one video has far more than its share
    mask = rng.random((15, 32)) < 0.9
    inputs = {schema.FRAMES: frames, schema.FRAME_MASK: mask, schema.FRAMES_CHOSEN: chosen}
    predicted = objective.head(states.reshape(480, 16))
    every = np.arange(480), chosen.reshape(480), frames.reshape(480, 3), mask.reshape(480)
    expected = number(masked_frame_nce(predicted, *every))
    found = number(objective({schema.FRAME_STATES: states}, inputs))
    assert found == pytest.approx(expected, rel=1e-6)


def test_its_flags_say_what_is_hidden():
    config = PretrainConfig(masked_frames=MaskedFramesConfig(0.0, masked_frames_share=0.3))
    assert config.corruption == Corruption()
    frames = MaskedFramesConfig(1.0, masked_frames_share=0.3, masked_frames_hidden=0.9)
    config = PretrainConfig(masked_frames=frames)
    assert config.corruption == Corruption(frames=0.3, frames_hidden=0.9)


def test_a_model_without_frames_says_so(build_smallest):
    backbone = build_smallest("joint", inputs={"widths": {}})
    with pytest.raises(VidsimError, match=r"masked_frames loss needs frame_states.*without frames"):
        build_objectives([MaskedFramesConfig(1.0)], backbone, backbone.output_keys)
