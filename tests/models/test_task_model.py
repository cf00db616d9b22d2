"""A batch shared by replicas: what is computed on each, and what is gathered."""

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.layers.replicas import Replicas, set_replicas
from vidsim.models.task_model import TaskModel
from vidsim.objectives.configs import BranchKLConfig, ContrastiveConfig, TagConfig
from vidsim.objectives.objective import Objective, build_objectives


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
