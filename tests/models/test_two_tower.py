"""Two towers through one pass: each side as if it were embedded alone; the learned temperature."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import erf

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.losses.contrastive import multi_positive_info_nce
from vidsim.models.two_tower import TowerEmbedding, Towers, TwoTower, build_towers
from vidsim.objectives.configs import RetrievalLossConfig
from vidsim.objectives.retrieval import RetrievalObjective


@pytest.mark.parametrize(
    ("family", "hidden", "fields"),
    [
        ("mix_nextvlad", 0, {}),
        ("uniter", 0, {}),
        ("uniter", 6, {}),
        ("joint", 0, {"sequence": "frames sep words", "frame_positions": True}),
        ("joint", 6, {"sequence": "cls frames sep words", "pooling": "attention"}),
    ],
)
def test_equals_both_sides_apart(family, hidden, fields, build_smallest, make_inputs):
    """Sentences without frames, videos without words, side by side and padded to each other."""
    backbone = build_smallest(family, **fields)
    head = Towers(8, hidden, 0.5) if hidden else None
    texts = make_inputs((5, 3, 4), (0, 0, 0))
    videos = make_inputs((2, 2, 2), (3, 1, 2))
    both = {}
    for key in texts.keys() & videos.keys():
        longest = max(texts[key].shape[1], videos[key].shape[1])
        padded = []
        for side in (texts[key], videos[key]):
            widths = [(0, 0), (0, longest - side.shape[1])] + [(0, 0)] * (side.ndim - 2)
            padded.append(np.pad(side, widths))
        both[key] = np.stack(padded, axis=1)
    both[schema.VIDEO_ROW] = np.array([4, 4, 9], "int32")
    tower = TwoTower(backbone, [], head)
    model = TowerEmbedding(backbone, head) if head else None
    found = tower(both, training=False)
    for key, inputs in ((schema.TEXT_EMBEDDING, texts), (schema.VIDEO_EMBEDDING, videos)):
        alone = ops.convert_to_numpy(backbone(inputs, training=False)[schema.EMBEDDING])
        if head is not None:
            alone = by_hand(head.text if key == schema.TEXT_EMBEDDING else head.video, alone)
            np.testing.assert_allclose(model(inputs), alone, atol=1e-5)
        np.testing.assert_allclose(found[key], alone, atol=1e-5)
    assert tower.objective_inputs(both)[schema.VIDEO_ROW] is both[schema.VIDEO_ROW]


@pytest.mark.parametrize("family", ["uniter", "mix_nextvlad"])
def test_a_tower_reads_what_its_side_is_made_of(family, build_smallest, make_inputs):
    """By hand: the embedding and the mean of real frames, or of real words' states, side by side,
    each scaled to variance 1, the first weighted. Padding changes nothing."""
    backbone = build_smallest(family)
    towers = build_towers(backbone, {"tower_hidden": 6, "tower_dropout": 0.5, "tower_skip": True})
    assert [float(share) for share in towers.shares] == [0, 0]
    for share, value in zip(towers.shares, (0.5, -2), strict=True):
        share.assign(value)
    texts, videos = make_inputs((5, 3, 4), (0, 0, 0)), make_inputs((2, 2, 2), (3, 1, 2))
    videos[schema.TOKEN_MASK] = np.zeros_like(videos[schema.TOKEN_MASK])
    for inputs, tower, share, key, mask in (
        (texts, towers.text, 0.5, None, schema.TOKEN_MASK),
        (videos, towers.video, -2, schema.FRAMES, schema.FRAME_MASK),
    ):
        outputs = {k: np.asarray(v) for k, v in backbone(inputs, training=False).items()}
        values = outputs.get(schema.HIDDEN_STATES) if key is None else inputs[key].astype("float32")
        if values is None:  # the family pools by itself
            mean = outputs[schema.WORD_VECTOR]
        else:
            real = np.asarray(inputs[mask], bool)
            mean = np.stack([rows[kept].mean(0) for rows, kept in zip(values, real, strict=True)])
        parts = [outputs[schema.EMBEDDING], mean]
        scaled = [(x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) for x in parts]
        expected = by_hand(tower, np.concatenate([share * scaled[0], scaled[1]], 1))
        found = TowerEmbedding(backbone, towers)(inputs)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    about = {"spec": SimpleNamespace(frame_size=3), "config": backbone.config}
    with pytest.raises(VidsimError, match="gives neither states nor a vector of words"):
        build_towers(
            SimpleNamespace(output_widths={}, **about),
            {"tower_hidden": 6, "tower_dropout": 0.5, "tower_skip": True},
        )
    assert not build_towers(backbone, {"tower_hidden": 6, "tower_dropout": 0.5}).reads_means


def by_hand(tower, x):
    """Normalised, 6 numbers through GELU, 8 numbers."""
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3)
    gamma, beta, first, first_bias, second, second_bias = map(np.asarray, tower.get_weights())
    hidden = (x * gamma + beta) @ first + first_bias
    return hidden * (1 + erf(hidden / np.sqrt(2))) / 2 @ second + second_bias


def test_the_temperature_is_learned_within_its_bounds():
    """The loss is that of exp(log temperature); a step too far ends at the bound, and goes on."""
    objective = RetrievalObjective(RetrievalLossConfig(retrieval_temperature=0.2))
    rng = np.random.default_rng(0)
    outputs = {
        schema.TEXT_EMBEDDING: ops.convert_to_tensor(rng.normal(size=(4, 3)), "float32"),
        schema.VIDEO_EMBEDDING: ops.convert_to_tensor(rng.normal(size=(4, 3)), "float32"),
    }
    groups = ops.convert_to_tensor([0, 1, 1, 2])
    expected = multi_positive_info_nce(*outputs.values(), groups, 0.2)
    value = objective(outputs=outputs, inputs={schema.VIDEO_ROW: groups})
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    variable = objective.log_temperature
    optimizer = keras.optimizers.SGD(1.0)
    for gradient, temperature in ((-9.0, 0.5), (99.0, 0.001), (-1.0, 0.001 * np.e)):
        optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
        np.testing.assert_allclose(np.exp(float(variable.value)), temperature, rtol=1e-4)
