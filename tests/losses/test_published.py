"""Losses, targets and negatives as the published code computes them, from its own numbers."""

import numpy as np
import pytest

from vidsim.layers.tangled_layer import stretch
from vidsim.losses.classification import softmax_cross_entropy
from vidsim.losses.masked_actions import masked_action_classes
from vidsim.losses.masked_frames import masked_frame_classes
from vidsim.losses.masked_lm import distilled_masked_lm, masked_lm
from vidsim.losses.matching import match_loss
from vidsim.losses.momentum_contrast import (
    distilled_targets,
    momentum_contrast,
    negative_logits,
    shared_targets,
)

EXACT = {"rel": 1e-5}


@pytest.mark.parametrize("part", ["s1", "s1_alpha0", "s1_alpha1"])
def test_losses_of_albef(goldens, as_array, part):
    """Contrast with the teacher's keys, match, and masked words with the teacher's answers."""
    golden = goldens("albef.npz")
    share = float(golden["s1/alpha"]) if part == "s1" else float(part[-1])
    contrast = 0.0
    for way in ("i2t", "t2i"):
        logits = golden[f"s1/sim_{way}"]
        hard = np.eye(*logits.shape, dtype="float32")
        targets = distilled_targets(hard, golden[f"s1/sim_{way}_m"], share)
        contrast += as_array(momentum_contrast(logits, targets)).mean() / 2
    assert contrast == pytest.approx(float(golden[f"{part}/loss_ita"]), **EXACT)

    logits = golden["s1/itm_logits"]
    rows = len(logits) // 3
    matched = np.arange(len(logits)) < rows
    found = as_array(match_loss(matched, logits)).mean()
    assert found == pytest.approx(float(golden[f"{part}/loss_itm"]), **EXACT)

    labels = golden["s1/mlm_labels"]
    words = (golden["s1/mlm_logits"], golden["s1/mlm_logits_m"], (labels >= 0).astype("float32"))
    shares = np.full(len(labels), share, "float32")
    found = as_array(distilled_masked_lm(np.maximum(labels, 0), *words, shares))
    assert found == pytest.approx(float(golden[f"{part}/loss_mlm"]), **EXACT)


def test_wrong_pairs_of_albef_are_drawn_by_similarity(goldens, as_array):
    golden = goldens("albef.npz")
    for way, weights in (("t2i", "neg_image_weights_t2i"), ("i2t", "neg_text_weights_i2t")):
        expected = golden[f"s1/{weights}"]
        rows = len(expected)
        hidden = as_array(negative_logits(golden[f"s1/sim_{way}"][:, :rows], np.eye(rows)))
        odds = np.exp(hidden - hidden.max(axis=1, keepdims=True))
        found = odds / odds.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(
            found, expected / expected.sum(axis=1, keepdims=True), atol=1e-6, rtol=1e-4
        )
        assert (np.diag(found) == 0).all()


def test_captions_of_one_video_share_the_target(goldens, as_array):
    golden = goldens("albef_retrieval.npz")
    rows = golden["in/idx"]
    columns = np.concatenate([rows, golden["queue0/idx_queue"][0]])
    found = as_array(shared_targets(rows, columns))
    np.testing.assert_allclose(found, golden["out/hard_targets"], rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_label_smoothing_of_the_classifier(goldens, as_array, smoothing):
    golden = goldens("lxmert_wbdc2022.npz")
    found = as_array(softmax_cross_entropy(golden["ce/label"], golden["ce/logits"], smoothing))
    expected = float(golden[f"ce/loss_smoothing_{smoothing}"])
    assert found.mean() == pytest.approx(expected, **EXACT)


def test_losses_of_actbert(goldens, as_array):
    """`_era`: a mean over the labels that are not ignored."""
    golden = goldens("actbert.npz")
    scores = {
        name: golden[f"loss_given/in_scores_{name}"]
        for name in ("text", "region", "action", "match")
    }
    words, actions = golden["loss_in/text_labels"], golden["loss_in/action_label"]
    classes = np.eye(scores["action"].shape[-1], dtype="float32")[np.maximum(actions, 0)]
    matched = golden["loss_in/next_sentence_label"] == 0
    found = {
        "text": masked_lm(np.maximum(words, 0), scores["text"], (words >= 0).astype("float32")),
        "region": masked_frame_classes(
            golden["loss_in/image_target"],
            scores["region"][:, 1:],
            golden["loss_in/image_label"] == 1,
        ),
        "action": masked_action_classes(classes, scores["action"], actions >= 0),
        "match": match_loss(matched, scores["match"][:, ::-1]),
    }
    values = {name: float(as_array(value).mean()) for name, value in found.items()}
    for name, value in values.items():
        assert value == pytest.approx(float(golden[f"loss_given_era/{name}"]), **EXACT), name
    none = masked_action_classes(classes, scores["action"], np.zeros_like(actions))
    assert float(none) == 0
    expected = golden["loss_given_era/total_when_no_text_and_no_action_is_masked"].item()
    assert values["region"] + values["match"] == pytest.approx(expected, **EXACT)


def test_stretch_of_actbert(goldens):
    """What actions find is stretched to a text's or regions' length as its interpolation does."""
    golden = goldens("actbert.npz")
    names = [name for name in golden if name.startswith("interp/")]
    assert names
    for name in names:
        count, length = (int(part) for part in name.split("_")[2:5:2])
        ones = np.ones((1, length)), np.ones((1, count))
        for published_form in (True, False):
            found = np.array(stretch(*ones, published_form))[0]
            np.testing.assert_array_equal(found.argmax(axis=1), golden[name])
            np.testing.assert_array_equal(found.sum(axis=1), 1)
