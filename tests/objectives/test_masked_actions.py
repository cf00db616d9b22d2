"""Masked actions: cross-entropy of shares by hand, the head in numpy, and which actions count."""

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.losses.masked_actions import masked_action_classes
from vidsim.models.pretrainer import Pretrainer, with_hidden
from vidsim.objectives.configs import MaskedActionsConfig
from vidsim.objectives.objective import build_objectives
from vidsim.recipes.recipe import PretrainConfig, without_tags

ON = MaskedActionsConfig(masked_actions_weight=0.5)


def number(x):
    return float(ops.convert_to_numpy(x))


def test_mean_over_chosen_actions_of_known_classes():
    """Logits (0, ln 3): softmax (1/4, 3/4). Class 1: -ln 3/4; both: the mean of ln 4 and -ln 3/4.
    The third video has no class, the second action of the first is not chosen."""
    logits = np.broadcast_to([0.0, np.log(3)], (3, 2, 2))
    targets = np.array([[[0, 1]], [[1, 1]], [[0, 0]]])
    chosen = np.array([[True, False], [True, True], [True, True]])
    one, both = -np.log(3 / 4), (np.log(4) - np.log(3 / 4)) / 2
    expected = (one + 2 * both) / 3
    assert number(masked_action_classes(targets, logits, chosen)) == pytest.approx(expected)
    assert number(masked_action_classes(targets, logits, np.zeros_like(chosen))) == 0
    huge = number(masked_action_classes(targets, np.full((3, 2, 2), 6e4, "float16"), chosen))
    assert huge == pytest.approx(np.log(2))


def test_tags_are_the_classes_where_the_data_have_none_and_not_of_another_video(build_smallest):
    """Of actions made of frames the first columns are drawn; rows that are not matched are out."""
    backbone = build_smallest("tangled", action_spans=2)
    (objective,) = build_objectives([ON], backbone, backbone.output_keys)
    rng = np.random.default_rng(0)
    for weight in objective.weights:
        weight.assign(rng.normal(0, 1, weight.shape))
    states = rng.normal(0, 1, (3, 2, 16)).astype("float32")
    inputs = {
        schema.TAGS: np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "uint8"),
        schema.ACTIONS_CHOSEN: np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]], bool),
        schema.MATCHED: np.array([True, True, False]),
    }
    outputs = {schema.ACTION_STATES: states}
    logits = np.array(objective.logits(outputs), "float64")
    losses = np.log(np.exp(logits).sum(-1, keepdims=True)) - logits
    expected = (losses[0, 0, :2].mean() + losses[1, 1, 2]) / 2
    assert number(objective(outputs, inputs)) == pytest.approx(expected, rel=1e-5)
    assert number(objective.count(outputs, inputs)) == 2
    assert objective.weight == 0.5
    del inputs[schema.MATCHED]
    assert number(objective.count(outputs, inputs)) == 4


def test_hidden_actions_are_zeros(build_smallest, make_inputs):
    """Those of the data, and those that the model makes; what is hidden changes its states."""
    actions = np.ones((1, 2, 3))
    hidden = {schema.ACTIONS: actions, schema.ACTIONS_HIDDEN: np.array([[False, True]])}
    shown = np.array(with_hidden(hidden)[schema.ACTIONS])
    np.testing.assert_array_equal(shown[0, :, 0], [1, 0])
    regions = {schema.REGIONS: actions, schema.FRAMES: actions}
    found = with_hidden(regions | {schema.FRAMES_HIDDEN: np.array([[True, False]])})
    np.testing.assert_array_equal(np.array(found[schema.REGIONS])[0, :, 0], [0, 1])
    assert found[schema.FRAMES] is actions
    backbone = build_smallest("tangled", action_spans=3)
    task = Pretrainer(backbone, build_objectives([ON], backbone, backbone.output_keys))
    inputs = make_inputs((4, 3), (3, 2))
    plain, masked = (
        np.array(task(inputs | {schema.ACTIONS_HIDDEN: np.array(drawn) > 0})[schema.ACTION_STATES])
        for drawn in ([[0, 0, 0], [0, 0, 0]], [[0, 1, 0], [0, 0, 1]])
    )
    assert np.abs(plain - masked)[0].max() > 1e-3
    np.testing.assert_allclose(plain[1, :2], masked[1, :2], atol=1e-6)  # its third is padding


def test_its_flags_and_what_it_needs(build_smallest):
    assert PretrainConfig(masked_actions=ON).corruption.actions == 0.15
    assert PretrainConfig().corruption.actions == 0
    config, dropped = without_tags(PretrainConfig(masked_actions=ON))
    assert "masked actions loss" in dropped and not config.masked_actions.weight
    config, dropped = without_tags(PretrainConfig(masked_actions=ON), actions=True)
    assert dropped == ["tag loss"] and config.masked_actions.weight
    backbone = build_smallest("tangled", num_labels=0)
    with pytest.raises(VidsimError, match="needs action labels or tags, and there are none"):
        build_objectives([ON], backbone, backbone.output_keys)
    backbone = build_smallest("joint")
    with pytest.raises(VidsimError, match="needs action_states, which the family joint"):
        build_objectives([ON], backbone, backbone.output_keys)
