"""A batch shared by replicas: what is computed on each, and what is gathered."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.layers.replicas import Replicas, set_replicas
from vidsim.models.task_model import TaskModel
from vidsim.objectives.configs import BranchKLConfig, ContrastiveConfig, TagConfig
from vidsim.objectives.objective import Objective, build_objectives
from vidsim.training.checkpoint import weights_by_path
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer


class Twins(Replicas):
    """Stands in for two replicas that have the same rows; remembers the shapes gathered."""

    count = 2

    def __init__(self):
        self.gathered = []

    def gather(self, x, axis=0):
        self.gathered.append(tuple(x.shape))
        return ops.concatenate([x, x], axis=axis)

    def sum(self, values):
        return [2 * value for value in values]


class FromOutside(Objective):
    """Says nothing of replicas, and compares rows: the share of those below the batch's mean."""

    needs = (schema.TAG_LOGITS,)

    def __init__(self):
        super().__init__(1.0, name="outside")
        self.rows = None

    def call(self, outputs, inputs):
        self.rows = outputs[schema.TAG_LOGITS].shape[0], inputs[schema.TAGS].shape[0]
        assert schema.BRANCH_LOGITS in outputs
        assert schema.EMBEDDING in outputs and "no such key" not in outputs
        return ops.sum(outputs[schema.TAG_LOGITS])  # no mean: twice as much for twice the rows


@pytest.fixture
def twins():
    replicas = Twins()
    set_replicas(replicas)
    yield replicas
    set_replicas(Replicas())


@pytest.fixture(scope="module")
def backbone(build_smallest):
    return build_smallest("mix_nextvlad")


def losses(backbone, objectives, inputs, replicas):
    """Total and parts; the forward pass is that of one replica's rows."""
    set_replicas(Replicas())
    outputs = backbone(inputs, training=False)
    set_replicas(replicas)
    task = TaskModel(backbone, objectives)
    total = float(task.compute_loss(x=inputs, y_pred=outputs)) * replicas.count
    return total, {part.name: float(part.result()) for part in task.parts}


def test_means_are_computed_apart_and_comparisons_of_the_whole_batch(backbone, make_inputs, twins):
    """Means over the same rows twice are those over them once; only contrast gathers, and no more
    than it reads: text (3, D), vision (2, 3, D) and the mask of frames (3, 4)."""
    inputs = make_inputs((5, 3, 2), (2, 1, 4)) | {schema.TAGS: np.eye(4, dtype="uint8")[:3]}
    configs = [TagConfig(), BranchKLConfig(50.0)]
    plain = build_objectives(configs, backbone, backbone.output_keys)
    once, twice = (losses(backbone, plain, inputs, r) for r in (Replicas(), twins))
    assert twins.gathered == []
    assert twice[0] == pytest.approx(once[0], rel=1e-6)
    assert twice[1] == pytest.approx(once[1], rel=1e-6)
    contrast = build_objectives([*configs, ContrastiveConfig(1.0)], backbone, backbone.output_keys)
    once, twice = (losses(backbone, contrast, inputs, r) for r in (Replicas(), twins))
    assert sorted(map(len, twins.gathered)) == [2, 2, 3]
    assert twice[1]["contrastive"] > once[1]["contrastive"] + 0.1  # each row has itself beside it


def test_an_objective_from_outside_is_given_the_whole_batch(backbone, make_inputs, twins):
    inputs = make_inputs((5, 3, 2), (2, 1, 4)) | {schema.TAGS: np.eye(4, dtype="uint8")[:3]}
    objective = FromOutside()
    once, twice = (losses(backbone, [objective], inputs, r) for r in (Replicas(), twins))
    assert objective.rows == (6, 6)
    assert twice[1]["outside"] == pytest.approx(2 * once[1]["outside"], rel=1e-5)


class Remembers(TaskModel):
    """Owns a queue, a counter and a momentum copy, all moved by the forward pass."""

    def __init__(self, backbone, objectives):
        super().__init__(backbone, objectives)
        self.queue = self.add_state("queue", (2,), initializer="ones")
        self.count = self.add_state("count", (), dtype="int32")
        self.teacher = keras.layers.Dense(1, name="teacher")
        self.teacher.build((None, 2))
        self.add_state_of(self.teacher)

    def call(self, inputs, training=None):
        outputs = super().call(inputs, training=training)
        if training:
            self.queue.assign(self.queue + ops.mean(outputs[schema.TAG_LOGITS]))
            self.count.assign_add(1)
            self.teacher.bias.assign(self.teacher.bias + 1.0)
        return outputs


def test_state_is_declared_once(build_smallest, make_inputs):
    """Saved, restored, put back after a skipped update, not trained, in no checkpoint."""
    backbone = build_smallest("mix_nextvlad")
    task = Remembers(backbone, build_objectives([TagConfig()], backbone, backbone.output_keys))
    assert [v.name for v in task.owned_state] == ["queue", "count", "kernel", "bias"]
    assert not {id(v) for v in task.owned_state} & {id(v) for v in task.trainable_variables}
    trainer = Trainer(task, build_optimizer(OptimizerConfig(), backbone, steps=9, planned=9))
    inputs = make_inputs([5, 4], [3, 2])
    tags = np.eye(4, dtype="float32")[[0] * len(inputs[schema.TOKEN_IDS])]

    def now():
        return [np.array(v.numpy()) for v in task.owned_state]

    def update(**changes):
        task.fit({**inputs, schema.TAGS: tags} | changes, batch_size=len(tags), verbose=0)

    first = now()
    update()
    moved, saved = now(), trainer.state()
    assert [bool((a != b).any()) for a, b in zip(first, moved, strict=True)] == [
        *(True, True),  # queue and count
        *(False, True),  # the teacher's kernel, which no gradient reaches, and its bias
    ]
    update(**{schema.FRAMES: np.full_like(inputs[schema.FRAMES], np.nan)})
    assert int(task.total_notfinite.numpy()) == 1
    for before, after in zip(moved, now(), strict=True):
        np.testing.assert_array_equal(before, after)
    update()
    assert int(task.count.numpy()) == 2
    trainer.restore(saved)
    for before, after in zip(moved, now(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not any("queue" in name or "teacher" in name for name in weights_by_path(backbone))
