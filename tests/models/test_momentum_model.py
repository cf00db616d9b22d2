"""A model beside its teacher: what it remembers, when that moves, and what replicas share."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.replicas import Replicas, set_replicas
from vidsim.models.match_two_tower import MatchTwoTower
from vidsim.models.momentum_pretrainer import MomentumPretrainer
from vidsim.models.momentum_retrieval import MomentumRetrieval
from vidsim.models.retrieval_head import RetrievalHead, build_head
from vidsim.models.two_tower import Towers, TwoTower
from vidsim.objectives.configs import RetrievalLossConfig, TagConfig
from vidsim.objectives.momentum_configs import (
    DistilledLMConfig,
    HardMatchConfig,
    MomentumContrastConfig,
    RetrievalMatchConfig,
)
from vidsim.training.checkpoint import weights_by_path
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer

QUEUE = 6
CONTRAST = {"itc_queue": QUEUE, "itc_alpha_steps": 4, "itc_momentum": 0.9}
TITLES, FRAMES = (5, 4, 6), (3, 1, 2)


def pretraining(make_inputs):
    """Three videos with two masked words each."""
    inputs = make_inputs(TITLES, FRAMES)
    masked = inputs[schema.TOKEN_IDS].copy()
    masked[:, 1:3] = 4
    return inputs | {
        schema.TOKEN_IDS: masked,
        schema.UNMASKED_IDS: inputs[schema.TOKEN_IDS],
        schema.MLM_POSITIONS: np.tile([[1, 2]], (3, 1)).astype("int32"),
        schema.MLM_LABELS: inputs[schema.TOKEN_IDS][:, 1:3],
        schema.MLM_WEIGHTS: np.ones((3, 2), "float32"),
        schema.TAGS: np.eye(4, dtype="float32")[:3],
    }


def pretrainer(backbone):
    configs = (
        MomentumContrastConfig(**CONTRAST),
        HardMatchConfig(match_weight=1.0),
        DistilledLMConfig(mlm_weight=1.0),
        TagConfig(),
    )
    return MomentumPretrainer(backbone, [config.build(backbone) for config in configs])


def values(variables):
    return [np.array(variable.numpy()) for variable in variables]


@pytest.fixture
def trained(build_smallest):
    """A pretraining and its trainer, run step by step."""
    model = pretrainer(build_smallest("albef"))
    optimizer = build_optimizer(OptimizerConfig(), model.backbone, steps=9, planned=9)
    trainer = Trainer(model, optimizer)
    model.run_eagerly = True
    return model, trainer


def test_state_moves_once_an_update_and_a_skipped_one_leaves_no_trace(trained, make_inputs):
    """Teacher, queues, place, counter and the draws' seed; saved, restored, in no checkpoint."""
    model, trainer = trained
    inputs = pretraining(make_inputs)
    size = len(model.teacher)
    assert size == len(model.backbone.trainable_variables) + 5  # the head of masked words
    assert len(model.owned_state) == size + 5
    assert not {id(v) for v in model.owned_state} & {id(v) for v in model.trainable_variables}
    first, online = values(model.owned_state), values(weight for weight, _ in model.teacher)
    logs = model.train_on_batch(inputs, return_dict=True)
    assert {"itc", "match", "mlm", "tag"} <= logs.keys()
    assert all(np.isfinite(float(value)) for value in logs.values())
    once, saved = values(model.owned_state), trainer.state()
    for before, after, weight in zip(first[:size], once[:size], online, strict=True):
        np.testing.assert_allclose(after, 0.9 * before + 0.1 * weight, atol=1e-6)
    assert int(model.queue_place.numpy()) == 3 and int(model.updates.numpy()) == 1
    queue = model.text_queue.numpy()
    np.testing.assert_allclose(np.linalg.norm(queue, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(queue[3:], first[size][3:])
    assert (queue[:3] != first[size][:3]).any(axis=1).all()
    assert (once[-1] != first[-1]).any()  # the seed

    broken = inputs | {schema.FRAMES: np.full_like(inputs[schema.FRAMES], np.nan)}
    model.train_on_batch(broken)
    assert int(model.total_notfinite.numpy()) == 1
    for before, after in zip(once, values(model.owned_state), strict=True):
        np.testing.assert_array_equal(before, after)

    model.train_on_batch(inputs)
    assert int(model.queue_place.numpy()) == 0  # six places: round
    again = values(model.owned_state)
    model(inputs, training=False)
    for before, after in zip(again, values(model.owned_state), strict=True):
        np.testing.assert_array_equal(before, after)
    trainer.restore(saved)
    model.train_on_batch(inputs)
    for before, after in zip(again, values(model.owned_state), strict=True):
        np.testing.assert_array_equal(before, after)
    names = " ".join(weights_by_path(model.backbone))
    assert "queue" not in names and "teacher" not in names


def test_the_teachers_share_rises(build_smallest):
    model = pretrainer(build_smallest("albef"))
    shares = []
    for done in (0, 1, 4, 9):
        model.updates.assign(done)
        shares.append(float(model.share))
    np.testing.assert_allclose(shares, [0, 0.1, 0.4, 0.4], rtol=1e-6)


@pytest.mark.parametrize("log", [False, True])
def test_the_temperature_is_learned_within_its_bounds(log):
    objective = MomentumContrastConfig(itc_temperature=0.2, itc_log_temperature=log).build(None)
    assert float(objective.temperature) == pytest.approx(0.2)
    optimizer = keras.optimizers.SGD(1.0)
    for gradient, expected in ((-9.0, 0.5), (99.0, 0.001)):
        optimizer.apply([ops.convert_to_tensor(gradient)], [objective.learned])
        assert float(objective.temperature) == pytest.approx(expected, rel=1e-5)


class Second(Replicas):
    """The second of two replicas; the first has the same rows."""

    count = 2

    def first_row(self, rows):
        return rows

    def gather(self, x, axis=0):
        return ops.concatenate([x, x], axis=axis)


def test_keys_and_negatives_are_the_whole_batchs(build_smallest, make_inputs):
    """Row r of the second replica is row 3 + r: the target is there, and drawn is any other."""
    set_replicas(Second())
    try:
        model = pretrainer(build_smallest("albef"))
    finally:
        set_replicas(Replicas())
    model.updates.assign(0)
    seen = []
    model.draw = lambda logits, training: seen.append(logits) or ops.array([0, 1, 2])
    outputs = model(pretraining(make_inputs), training=True)
    assert outputs[schema.TEXT_COSINES].shape == (3, 6 + QUEUE)
    expected = np.eye(3, 6 + QUEUE, 3)
    np.testing.assert_allclose(outputs[schema.TEXT_TARGETS], expected, atol=1e-6)
    for logits in seen:
        hidden = ops.convert_to_numpy(logits) < -1e8
        np.testing.assert_array_equal(hidden, np.eye(3, 6, 3, dtype=bool))
    assert outputs[schema.MATCH_VECTOR].shape == (9, 16)
    assert int(model.queue_place.numpy()) == 0  # six rows into six places


def sides(make_inputs, rows=(4, 4, 9)):
    """Three sentences and their videos, two of one video, as TwoTower reads them."""
    texts, videos = make_inputs(TITLES, (0, 0, 0), 6, 3), make_inputs((2, 2, 2), FRAMES, 6, 3)
    both = {key: np.stack([texts[key], videos[key]], axis=1) for key in texts}
    return both | {schema.VIDEO_ROW: np.array(rows, "int32")}


@pytest.mark.parametrize("family", ["albef", "uniter"])
def test_finetuning_with_a_match_head(family, build_smallest, make_inputs):
    """It is trained with any family that says whether words and frames match, and goes with the
    checkpoint; negatives are of other videos, and a batch of one video has none."""
    backbone = build_smallest(family)
    settings = {"match": True, "tower_hidden": 0}
    head = build_head(backbone, settings)
    contrast = MomentumContrastConfig(**CONTRAST) if family == "albef" else RetrievalLossConfig()
    kind = MomentumRetrieval if family == "albef" else MatchTwoTower
    configs = (contrast, RetrievalMatchConfig(match_weight=1.0))
    model = kind(backbone, [config.build(backbone) for config in configs], head)
    Trainer(model, build_optimizer(OptimizerConfig(), backbone, 9, 9), restartable=False)
    model.run_eagerly = True
    before = values(head.trainable_variables)
    logs = model.train_on_batch(sides(make_inputs), return_dict=True)
    assert float(logs["match"]) > 0 and np.isfinite(float(logs["loss"]))
    moved = [(a != b).any() for a, b in zip(before, values(head.trainable_variables), strict=True)]
    assert all(moved)
    outputs = model(sides(make_inputs), training=True)
    assert outputs[schema.MATCH_LOGITS].shape == (9, 2)
    np.testing.assert_array_equal(outputs[schema.MATCH_LABELS], [1, 1, 1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(outputs[schema.MATCH_WEIGHTS], np.ones(9))
    alone = model(sides(make_inputs, (4, 4, 4)), training=True)
    np.testing.assert_array_equal(alone[schema.MATCH_WEIGHTS], [1] * 3 + [0] * 6)
    if family == "albef":
        np.testing.assert_allclose(
            np.asarray(outputs[schema.TEXT_TARGETS])[0, :3] > 0.1, [True, True, False]
        )


def test_what_a_head_is_made_of(build_smallest):
    backbone = build_smallest("uniter")
    assert build_head(backbone, {}) is None
    assert isinstance(build_head(backbone, {"tower_hidden": 4, "tower_dropout": 0.5}), Towers)
    both = build_head(backbone, {"tower_hidden": 4, "tower_dropout": 0.5, "match": True})
    assert isinstance(both, RetrievalHead) and both.towers is not None
    with pytest.raises(VidsimError, match="the family mix_nextvlad does not say whether"):
        build_head(build_smallest("mix_nextvlad"), {"match": True})
    with pytest.raises(VidsimError, match="needs the family albef and its itc loss"):
        MomentumRetrieval(backbone, [])


def test_albef_in_two_towers_has_an_embedding_of_its_own_for_each_side(build_smallest, make_inputs):
    backbone = build_smallest("albef")
    outputs = TwoTower(backbone, [])(sides(make_inputs), training=False)
    for side, name in enumerate((schema.TEXT_EMBEDDING, schema.VIDEO_EMBEDDING)):
        rows = {k: x[:, side] for k, x in sides(make_inputs).items() if k != schema.VIDEO_ROW}
        expected = keras.ops.convert_to_numpy(backbone(rows, training=False)[name])
        np.testing.assert_allclose(outputs[name], expected, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)
