"""Match: a linear head on MATCH_VECTOR; and what the other losses make of mismatched rows."""

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.losses.contrastive import symmetric_info_nce
from vidsim.losses.tag import binary_cross_entropy
from vidsim.objectives.configs import ContrastiveConfig, MatchConfig, TagConfig
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.corruption import Corruption
from vidsim.recipes.recipe import PretrainConfig

MATCHED = np.array([True, False, True, False, True])


def number(x):
    return float(ops.convert_to_numpy(x))


def test_it_is_the_mean_cross_entropy_of_a_linear_head(build_smallest):
    backbone = build_smallest("joint")
    config = MatchConfig(match_weight=0.3)
    (objective,) = build_objectives([config], backbone, backbone.output_keys)
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(0, 1, (16, 2)), rng.normal(0, 1, 2)
    objective.head.set_weights([kernel, bias])
    x = rng.normal(0, 1, (5, 16)).astype("float32")
    logits = x.astype("float64") @ kernel + bias
    other, same = np.exp(logits).T
    p = same / (other + same)  # column 1 says "matches"
    expected = -np.log(np.where(MATCHED, p, 1 - p)).mean()
    outputs, inputs = {schema.MATCH_VECTOR: x}, {schema.MATCHED: MATCHED}
    assert number(objective(outputs, inputs)) == pytest.approx(expected, rel=1e-5)
    assert number(objective.count(outputs, inputs)) == 5
    assert objective.weight == 0.3


@pytest.mark.parametrize("gone", ["text", "frames"])
def test_it_says_which_side_is_missing(build_smallest, gone):
    inputs = {"text_fields": ()} if gone == "text" else {"widths": {}}
    backbone = build_smallest("joint", inputs=inputs)
    with pytest.raises(VidsimError, match=f"match loss needs match_vector.*data without {gone};"):
        build_objectives([MatchConfig(1.0)], backbone, backbone.output_keys)


def test_its_flags_say_what_is_exchanged():
    assert PretrainConfig().corruption == Corruption()
    assert PretrainConfig(match=MatchConfig(match_mismatch="reversed")).corruption == Corruption()
    config = PretrainConfig(match=MatchConfig(0.3, "reversed", match_words=True))
    assert config.corruption == Corruption(mismatch="reversed", words_of_mismatched=True)
    assert PretrainConfig(match=MatchConfig(0.3)).corruption.mismatch == "random"


@pytest.mark.parametrize("branches", [False, True])
def test_tags_are_not_learned_from_mismatched_rows(branches):
    """It is the loss of the matched rows alone, and 0 where there are none."""
    rng = np.random.default_rng(1)
    outputs = {schema.TAG_LOGITS: rng.normal(0, 1, (5, 3)).astype("float32")}
    if branches:
        outputs[schema.BRANCH_LOGITS] = rng.normal(0, 1, (2, 5, 3)).astype("float32")
    tags = rng.integers(0, 2, (5, 3), "uint8")
    objective = TagConfig().build(None)
    logits = [outputs[schema.TAG_LOGITS], *outputs.get(schema.BRANCH_LOGITS, ())]
    rows = sum(ops.convert_to_numpy(binary_cross_entropy(tags, z)) for z in logits)
    inputs = {schema.TAGS: tags, schema.MATCHED: MATCHED}
    assert number(objective(outputs, inputs)) == pytest.approx(rows[MATCHED].mean(), rel=1e-6)
    assert number(objective.count(outputs, inputs)) == 3
    inputs[schema.MATCHED] = np.zeros(5, bool)
    assert number(objective(outputs, inputs)) == 0


def test_text_and_frames_of_two_videos_do_not_belong_together():
    """Nor are the mismatched ones negatives."""
    rng = np.random.default_rng(2)
    text, vision = rng.normal(0, 1, (5, 4)), rng.normal(0, 1, (5, 4))
    outputs = {schema.TEXT_VECTOR: text, schema.VISION_VECTORS: vision[None]}
    inputs = {schema.FRAME_MASK: np.ones((5, 2), bool), schema.MATCHED: MATCHED}
    found = ContrastiveConfig(1.0).build(None)(outputs, inputs)
    expected = symmetric_info_nce(text[MATCHED], vision[MATCHED])
    assert number(found) == pytest.approx(number(expected), rel=1e-6)
