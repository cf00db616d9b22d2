"""The heads of classification: layers, what they read beside the embedding, and mixtures."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import erf, softmax

from vidsim import schema
from vidsim.config_fields import override
from vidsim.errors import VidsimError
from vidsim.models.class_scorer import ClassHead, ClassPredictor, ClassScorer, build_class_heads
from vidsim.objectives.classification import ClassObjective
from vidsim.objectives.configs import ClassConfig
from vidsim.tasks.classification.configs import ClassificationConfig
from vidsim.training.task_head import load_head, save_head

TWO_LAYERS = {"classes": [7, 8, 9], "class_hidden": 6, "class_dropout": 0.5, "class_skip": True}


def test_a_head_of_one_layer_is_linear():
    """As the published classifiers are, whose weights the tests of parity put into it."""
    head, x = ClassHead(3, 4), np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    kernel, bias = head.kernel.numpy(), np.array([1.0, -2.0, 0.5], "float32")
    head.bias.assign(bias)
    np.testing.assert_allclose(head(x), x @ kernel + bias, atol=1e-6)


def test_one_layer_reads_the_embedding(build_smallest, make_inputs, tmp_path):
    """Its file has the two weights that it has had from the first release on."""
    backbone = build_smallest("uniter")
    head = build_class_heads(backbone, {"classes": [7, 8, 9]})
    inputs = make_inputs((5, 3, 4), (3, 1, 2))
    embedding = np.asarray(backbone(inputs, training=False)[schema.EMBEDDING])
    kernel, bias = map(np.asarray, head.get_weights())
    expected = softmax(embedding @ kernel + bias, axis=1)
    np.testing.assert_allclose(ClassPredictor(backbone, head)(inputs), expected, atol=1e-5)
    save_head(head, tmp_path)

    assert set(load_file(tmp_path / "head.safetensors")) == {"0 kernel", "1 bias"}


@pytest.mark.parametrize("family", ["uniter", "mix_nextvlad"])
def test_two_layers_read_what_the_sides_are_made_of(family, build_smallest, make_inputs, tmp_path):
    """By hand: the weighted embedding, the mean of the words' states and that of the frames, each
    scaled to variance 1, through LayerNorm, GELU and the classes. A file brings all of it back."""
    backbone = build_smallest(family)
    heads = build_class_heads(backbone, TWO_LAYERS)
    [head] = heads.heads
    assert float(head.share) == 0
    head.share.assign(-2)
    inputs = make_inputs((5, 3, 4), (3, 1, 2))
    outputs = {key: np.asarray(x) for key, x in backbone(inputs, training=False).items()}

    def mean(values, mask):
        pairs = zip(values.astype("float32"), np.asarray(inputs[mask], bool), strict=True)
        return np.stack([rows[kept].mean(0) for rows, kept in pairs])

    states = outputs.get(schema.HIDDEN_STATES)
    words = outputs.get(schema.WORD_VECTOR)
    words = words if states is None else mean(states, schema.TOKEN_MASK)
    parts = [outputs[schema.EMBEDDING], words, mean(inputs[schema.FRAMES], schema.FRAME_MASK)]
    scaled = [(x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) for x in parts]
    x = np.concatenate([-2 * scaled[0], *scaled[1:]], axis=1)
    gamma, beta, first, first_bias = map(np.asarray, head.before.get_weights())
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3) * gamma + beta
    hidden = x @ first + first_bias
    hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
    expected = hidden @ np.asarray(head.kernel) + np.asarray(head.bias)
    logits = ClassScorer(backbone, [], heads)(inputs)[schema.CLASS_LOGITS]
    np.testing.assert_allclose(logits, expected[:, None], atol=1e-4)
    save_head(heads, tmp_path)
    stored = load_file(tmp_path / "head.safetensors")
    assert stored["0 share"].shape == ()
    save_file(stored | {"0 share": stored["0 share"][None]}, tmp_path / "head.safetensors")
    again = build_class_heads(backbone, TWO_LAYERS)
    load_head(again, tmp_path)  # a number as it is written, and as it once was: (1,)
    expected = softmax(expected, axis=1)
    np.testing.assert_allclose(ClassPredictor(backbone, again)(inputs), expected, atol=1e-5)


def test_several_heads_are_an_ensemble(build_smallest, make_inputs, tmp_path):
    """Each has its own weights and mask; their probabilities, not their logits, are averaged."""
    backbone = build_smallest("uniter")
    settings = TWO_LAYERS | {"class_heads": 3}
    heads = build_class_heads(backbone, settings)
    inputs = make_inputs((5, 3, 4), (3, 1, 2))
    scorer = ClassScorer(backbone, [], heads)
    logits = np.asarray(scorer(inputs)[schema.CLASS_LOGITS])
    assert logits.shape == (3, 3, 3)
    assert np.abs(logits[:, 0] - logits[:, 1]).min() > 1e-4
    found = np.asarray(ClassPredictor(backbone, heads)(inputs))
    np.testing.assert_allclose(found, softmax(logits, axis=-1).mean(axis=1), atol=1e-5)
    one, other = heads.heads[:2]
    for mine, yours in zip(one.weights, other.weights, strict=True):
        mine.assign(yours)
    dropped = np.asarray(scorer(inputs, training=True)[schema.CLASS_LOGITS])
    assert np.abs(dropped[:, 0] - dropped[:, 1]).max() > 1e-4  # masks of their own
    save_head(heads, tmp_path)
    again = build_class_heads(backbone, settings)
    load_head(again, tmp_path)
    for mine, yours in zip(heads.weights, again.weights, strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_rows_are_mixed_with_a_partner_in_training_alone(build_smallest, make_inputs):
    """By hand: linear heads read share x own + (1 - share) x partner; the loss is mixed alike."""
    backbone = build_smallest("uniter")
    heads = build_class_heads(backbone, {"classes": [7, 8, 9], "class_heads": 2})
    inputs = make_inputs((5, 3, 4), (3, 1, 2)) | {schema.CATEGORY: np.array([0, 2, 1])}
    objective = ClassObjective(ClassConfig(label_smoothing=0.0))
    scorer = ClassScorer(backbone, [objective], heads, mixup=0.4)
    assert schema.OWN_SHARE not in scorer(inputs)
    outputs = {key: np.asarray(x) for key, x in scorer(inputs, training=True).items()}
    share, partner = outputs[schema.OWN_SHARE], outputs[schema.PARTNER]
    assert sorted(partner) == [0, 1, 2]
    assert share.shape == (3,) and ((share >= 0) & (share <= 1)).all() and len(set(share)) == 3
    x, own = outputs[schema.EMBEDDING], share[:, None]
    mixed = own * x + (1 - own) * x[partner]
    parts = [mixed @ np.asarray(h.kernel) + np.asarray(h.bias) for h in heads.heads]
    logits = np.stack(parts, axis=1)
    np.testing.assert_allclose(outputs[schema.CLASS_LOGITS], logits, atol=1e-5)
    log_p = np.log(softmax(logits, axis=-1))
    expected = -np.mean(
        [
            share[row] * log_p[row, head, (0, 2, 1)[row]]
            + (1 - share[row]) * log_p[row, head, (0, 2, 1)[partner[row]]]
            for row in range(3)
            for head in range(2)
        ]
    )
    assert float(objective.call(outputs, inputs)) == pytest.approx(expected, rel=1e-5)
    drawn = [scorer(inputs, training=True) for _ in range(20)]
    assert len({tuple(np.asarray(of[schema.PARTNER])) for of in drawn}) > 3
    shares = np.concatenate([np.asarray(of[schema.OWN_SHARE]) for of in drawn])
    assert len(set(shares)) == 60  # a share for each row
    assert any(item is scorer.draws.state for item in scorer.owned_state)


def test_what_it_cannot_read_is_refused():
    about = {"spec": SimpleNamespace(frame_size=3), "config": SimpleNamespace(family="plain")}
    backbone = SimpleNamespace(output_widths={}, **about)
    with pytest.raises(VidsimError, match="--class-skip: the family plain gives neither states"):
        build_class_heads(backbone, TWO_LAYERS)
    for changes, said in (
        ({"mixup": 0.05}, "--mixup 0.05.*accepted is 0, or 0.1 to 100"),
        ({"class_dropout": 0.2}, "--class-dropout 0.2 does nothing without --class-hidden N"),
    ):
        config = override(ClassificationConfig(), changes, "flag")
        assert re.search(said, " ".join(config.contradictions()))
    config = ClassificationConfig(class_skip=True)
    assert any("--class-hidden N" in said for said in config.contradictions())
    assert not list(ClassificationConfig(class_skip=True, class_hidden=6).contradictions())
