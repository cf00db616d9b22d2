"""The masked-word head: against plain numpy, and blind for what was not masked."""

import math

import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.objectives.configs import MaskedLMConfig
from vidsim.objectives.masked_lm import MaskedLMObjective


@pytest.fixture(scope="module")
def backbone(build_smallest):
    return build_smallest("uniter", vocab_size=11)


@pytest.fixture(scope="module")
def objective(backbone):
    objective = MaskedLMObjective(MaskedLMConfig(mlm_weight=1.0), backbone)
    rng = np.random.default_rng(0)
    for weight in objective.trainable_weights:
        if weight is not backbone.text_encoder.words.embeddings:
            weight.assign(rng.normal(0, 0.4, weight.shape))
    return objective


@pytest.fixture
def example():
    """Two titles of four tokens; three words masked, one slot unused."""
    hidden = np.random.default_rng(1).normal(0, 1, (2, 4, 16)).astype("float32")
    inputs = {
        schema.MLM_POSITIONS: np.array([[1, 2], [3, 0]], "int32"),
        schema.MLM_LABELS: np.array([[7, 10], [0, 2]], "int32"),
        schema.MLM_WEIGHTS: np.array([[1, 1], [1, 0]], "float32"),
    }
    return hidden, inputs


def loss(objective, hidden, inputs):
    outputs = {schema.HIDDEN_STATES: ops.convert_to_tensor(hidden)}
    return float(ops.convert_to_numpy(objective(outputs, inputs)))


def reference(objective, words, hidden, inputs):
    """BERT's head one word at a time in float64: dense, exact GELU, norm, the words as decoder."""
    kernel, bias = (w.numpy().astype("float64") for w in objective.transform.weights)
    gamma, beta = (w.numpy().astype("float64") for w in objective.norm.weights)
    losses = []
    for row, slot in zip(*np.nonzero(inputs[schema.MLM_WEIGHTS]), strict=True):
        x = hidden[row, inputs[schema.MLM_POSITIONS][row, slot]].astype("float64") @ kernel + bias
        x = np.array([value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in x])
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-12) * gamma + beta
        logits = words @ x + objective.bias.numpy()
        label = inputs[schema.MLM_LABELS][row, slot]
        losses.append(np.log(np.exp(logits).sum()) - logits[label])
    return np.mean(losses)


def test_equals_the_reference(objective, backbone, example):
    words = backbone.text_encoder.words.embeddings.numpy().astype("float64")
    expected = reference(objective, words, *example)
    assert loss(objective, *example) == pytest.approx(expected, rel=1e-5)


def test_a_sum_is_over_each_text(objective, backbone, example):
    """Mean over texts of the sum over their masked words: 2 x what the mean is over 3 words, / 3;
    parts of a batch count by their texts."""
    summed = MaskedLMObjective(MaskedLMConfig(1.0, mlm_reduction="sum"), backbone)
    for to, weight in zip(summed.trainable_weights, objective.trainable_weights, strict=True):
        to.assign(weight)
    mean, total = loss(objective, *example), loss(summed, *example)
    assert total == pytest.approx(mean * 3 / 2, rel=1e-6)
    hidden, inputs = example
    assert float(summed.count({}, inputs)) == 2
    assert float(objective.count({}, inputs)) == 3
    rows = [{key: value[row : row + 1] for key, value in inputs.items()} for row in (0, 1)]
    alone = [loss(summed, hidden[row : row + 1], rows[row]) for row in (0, 1)]
    assert np.mean(alone) == pytest.approx(total, rel=1e-6)


def test_only_masked_positions_are_read(objective, example):
    hidden, inputs = example
    before = loss(objective, hidden, inputs)
    read = {(0, 1), (0, 2), (1, 3)}
    for place in np.ndindex(2, 4):
        changed = hidden.copy()
        changed[place] *= -2
        moved = loss(objective, changed, inputs) != before
        assert moved == (place in read), place


def test_nothing_masked_costs_nothing(objective, example):
    hidden, inputs = example
    assert loss(objective, hidden, inputs | {schema.MLM_WEIGHTS: np.zeros((2, 2), "float32")}) == 0


def test_the_words_are_shared_not_copied(objective, backbone):
    words = backbone.text_encoder.words.embeddings
    assert sum(weight is words for weight in objective.trainable_weights) == 1
    names = {w.name for w in objective.trainable_weights if w is not words}
    assert names == {"kernel", "bias", "gamma", "beta"}
