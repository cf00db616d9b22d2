"""Objectives: the right loss of the right outputs, weighted and added up."""

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.losses.asymmetric import asymmetric
from vidsim.losses.branch_kl import branch_kl
from vidsim.losses.contrastive import symmetric_info_nce
from vidsim.losses.similarity import mean_squared_error, raw_kl, softmax_kl
from vidsim.losses.tag import binary_cross_entropy
from vidsim.models.task_model import TaskModel
from vidsim.objectives.configs import (
    BranchKLConfig,
    ContrastiveConfig,
    MaskedLMConfig,
    SimilarityConfig,
    TagConfig,
)
from vidsim.objectives.objective import build_objectives

B, C, K, D = 4, 3, 2, 5


@pytest.fixture
def outputs():
    rng = np.random.default_rng(0)
    shapes = {
        schema.TAG_LOGITS: (B, C),
        schema.BRANCH_LOGITS: (K, B, C),
        schema.TEXT_VECTOR: (B, D),
        schema.VISION_VECTORS: (K, B, D),
        schema.COSINE: (B,),
    }
    made = {key: rng.normal(0, 1, shape).astype("float32") for key, shape in shapes.items()}
    made[schema.COSINE] = np.tanh(made[schema.COSINE])
    return {key: ops.convert_to_tensor(value) for key, value in made.items()}


@pytest.fixture
def inputs():
    """The third video has no frames."""
    return {
        schema.TAGS: np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]], "uint8"),
        schema.FRAME_MASK: np.array([[1, 1], [1, 0], [0, 0], [1, 1]], bool),
        schema.SIM: np.array([0.1, 0.9, 0.5, 0.4], "float32"),
    }


def value(config, outputs, inputs):
    return float(ops.convert_to_numpy(config.build(None)(outputs, inputs)))


def number(x):
    return float(ops.convert_to_numpy(ops.mean(x)))


def test_tag_adds_the_branches(outputs, inputs):
    """Mean over videos of mixed + branch 0 + branch 1."""
    tags, branches = inputs[schema.TAGS], outputs[schema.BRANCH_LOGITS]
    mixed = number(binary_cross_entropy(tags, outputs[schema.TAG_LOGITS]))
    aside = [number(binary_cross_entropy(tags, branches[k])) for k in range(K)]
    found = value(TagConfig(), outputs, inputs)
    assert found == pytest.approx(mixed + sum(aside), rel=1e-5)
    assert value(TagConfig(tag_branches=False), outputs, inputs) == pytest.approx(mixed, rel=1e-5)
    del outputs[schema.BRANCH_LOGITS]
    assert value(TagConfig(), outputs, inputs) == pytest.approx(mixed, rel=1e-5)


def test_asymmetric_tag_takes_its_flags(outputs, inputs):
    config = TagConfig("asl", 1.0, False, asl_gamma_pos=0.5, asl_gamma_neg=3.0, asl_clip=0.1)
    loss = asymmetric(inputs[schema.TAGS], outputs[schema.TAG_LOGITS], 0.5, 3.0, 0.1)
    assert value(config, outputs, inputs) == pytest.approx(number(loss), rel=1e-5)


def test_contrastive_is_the_mean_over_branches(outputs, inputs):
    """Of the videos that have frames, against the text: the third is left out."""
    real = [0, 1, 3]
    text = ops.convert_to_numpy(outputs[schema.TEXT_VECTOR])[real]
    visions = ops.convert_to_numpy(outputs[schema.VISION_VECTORS])[:, real]
    losses = [number(symmetric_info_nce(vision, text, 0.3)) for vision in visions]
    found = value(ContrastiveConfig(1.0, contrastive_temperature=0.3), outputs, inputs)
    assert found == pytest.approx(np.mean(losses), rel=1e-5)


def test_branch_kl_takes_its_temperature(outputs, inputs):
    loss = branch_kl(outputs[schema.TAG_LOGITS], outputs[schema.BRANCH_LOGITS], 3.0)
    config = BranchKLConfig(1.0, branch_kl_temperature=3.0)
    assert value(config, outputs, inputs) == pytest.approx(number(loss), rel=1e-5)


def test_similarity_is_squared_error_and_divergence(outputs, inputs):
    sim, cosine = inputs[schema.SIM], outputs[schema.COSINE]
    error = number(mean_squared_error(sim, cosine))
    softmax, raw = number(softmax_kl(sim, cosine, 0.2)), number(raw_kl(sim, cosine))
    for config, expected in (
        (SimilarityConfig(kl_weight=0.0), error),
        (SimilarityConfig(kl_weight=0.3), error + 0.3 * raw),
        (
            SimilarityConfig(kl_weight=0.3, kl_form="softmax", kl_temperature=0.2),
            error + 0.3 * softmax,
        ),
    ):
        assert value(config, outputs, inputs) == pytest.approx(expected, rel=1e-5)


def tag_loss_by_hand(inputs, outputs):
    """Cross-entropy in float64, of the mixture and of each branch: no function of vidsim in it."""
    y = inputs[schema.TAGS].astype("float64")
    mixed, branches = (
        ops.convert_to_numpy(outputs[key]).astype("float64")
        for key in (schema.TAG_LOGITS, schema.BRANCH_LOGITS)
    )
    p = 1 / (1 + np.exp(-np.stack([mixed, *branches])))
    return -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p), axis=-1).mean(axis=1).sum()


def test_the_total_is_the_weighted_sum_of_its_parts(build_smallest, make_inputs):
    backbone = build_smallest("mix_nextvlad")
    configs = [
        TagConfig(tag_weight=2.0),
        ContrastiveConfig(3.0),
        BranchKLConfig(0.0),
        BranchKLConfig(50.0),
    ]
    task = TaskModel(backbone, build_objectives(configs, backbone, backbone.output_keys))
    inputs = make_inputs((5, 3, 2), (2, 1, 4))
    inputs[schema.TAGS] = np.eye(4, dtype="uint8")[:3]
    outputs = task(inputs, training=False)
    total = float(ops.convert_to_numpy(task.compute_loss(x=inputs, y_pred=outputs)))
    parts = {part.name: float(part.result()) for part in task.parts}
    assert list(parts) == ["tag", "contrastive", "branch_kl"]
    alone = [value(config, outputs, inputs) for config in configs if config.weight]
    assert alone[0] == pytest.approx(tag_loss_by_hand(inputs, outputs), rel=1e-5)
    weighted = [weight * part for weight, part in zip((2, 3, 50), alone, strict=True)]
    assert list(parts.values()) == pytest.approx(weighted, rel=1e-5)
    assert all(part > 1e-3 for part in alone)
    assert total == pytest.approx(sum(weighted), rel=1e-5)


@pytest.mark.parametrize(
    ("family", "config", "message"),
    [
        (
            "uniter",
            ContrastiveConfig(1.0),
            "the contrastive loss needs text_vector, vision_vectors, which the family uniter",
        ),
        ("uniter", BranchKLConfig(1.0), "the branch_kl loss needs branch_logits, which"),
        ("mix_nextvlad", MaskedLMConfig(1.0), "the mlm loss needs hidden_states, which the family"),
        ("uniter", SimilarityConfig(), "the similarity loss needs cosine"),
    ],
)
def test_an_output_that_is_not_there(build_smallest, family, config, message):
    backbone = build_smallest(family)
    with pytest.raises(VidsimError, match=message):
        build_objectives([config], backbone, backbone.output_keys)


def test_nothing_to_train(build_smallest):
    with pytest.raises(VidsimError, match="nothing to train: every loss weight is 0"):
        build_objectives([TagConfig(tag_weight=0.0), ContrastiveConfig()], None, ())


@pytest.mark.parametrize(
    "config",
    [
        TagConfig(),
        BranchKLConfig(1.0),
        SimilarityConfig(kl_weight=0.0),
        SimilarityConfig(),
        SimilarityConfig(kl_form="softmax"),
        ContrastiveConfig(1.0),
    ],
    ids=["tag", "branch_kl", "error", "raw", "softmax", "contrastive"],
)
def test_a_count_makes_parts_of_a_batch_add_up(config, outputs, inputs):
    """Rows 0 and 1 to 3 apart: value times count, added up, is the whole's; softmax and contrast
    compare rows, so they give no count, and their parts do not add up."""
    objective = config.build(None)
    cuts = [slice(0, 1), slice(1, None)]
    parts = []
    for rows in cuts:
        of = {k: v[:, rows] if k in schema.BY_BRANCH else v[rows] for k, v in outputs.items()}
        parts.append((of, {key: array[rows] for key, array in inputs.items()}))
    values = [number(objective(*part)) for part in parts]
    counts = [objective.count(*part) for part in parts]
    whole = value(config, outputs, inputs)
    if counts[0] is None:
        assert objective.count(outputs, inputs) is None
        assert np.average(values, weights=[1, 3]) != pytest.approx(whole, rel=1e-2)
    else:
        counts = [number(count) for count in counts]
        assert counts == [1, 3]
        assert np.average(values, weights=counts) == pytest.approx(whole, rel=1e-5)


def test_only_a_raw_kl_says_that_it_may_be_negative():
    configs = (SimilarityConfig(), SimilarityConfig(kl_weight=0.0), TagConfig())
    notes = [config.build(None).note for config in configs]
    assert "may be negative" in notes[0]
    assert notes[1:] == ["", ""]
