"""Contrast beside a teacher: against plain numpy, and the negatives that are drawn."""

import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax, softmax

from vidsim.losses.masked_lm import distilled_masked_lm, masked_lm
from vidsim.losses.momentum_contrast import (
    distilled_targets,
    draw_by_noise,
    momentum_contrast,
    negative_logits,
    shared_targets,
)


def test_sentences_of_one_video_share_the_target():
    """Rows of videos 7 and 5; keys of 7, 5, 7, an empty place, 7: thirds for the first row."""
    found = ops.convert_to_numpy(shared_targets(ops.array([7, 5]), ops.array([7, 5, 7, -100, 7])))
    third = 1 / 3
    np.testing.assert_allclose(found, [[third, 0, third, 0, third], [0, 1, 0, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_against_numpy(share):
    rng = np.random.default_rng(0)
    logits, teacher = rng.normal(size=(2, 4, 9)).astype("float32") * 3
    hard = np.eye(4, 9, dtype="float32")
    targets = share * softmax(teacher, axis=1) + (1 - share) * hard
    expected = -(targets * log_softmax(logits, axis=1)).sum(axis=1)
    made = distilled_targets(hard, teacher, np.float32(share))
    np.testing.assert_allclose(ops.convert_to_numpy(made), targets, atol=1e-6)
    np.testing.assert_allclose(
        ops.convert_to_numpy(momentum_contrast(logits, made)), expected, rtol=1e-5
    )


def test_a_negative_is_never_right_even_where_probabilities_underflow():
    """Row 0 is 200 nearer to itself than to the rest, whose softmax is 0 in float32: it draws by
    what is left, 1 against 3 to e. Row 1 has two that are right, and one left."""
    logits = np.array([[200, 0, 1], [0.5, 0, 3]], "float32")
    related = np.array([[True, False, False], [True, True, False]])
    left = negative_logits(logits, related)
    noise = np.random.default_rng(0).random((20000, 3)).astype("float32")
    drawn = [
        ops.convert_to_numpy(draw_by_noise(ops.tile(left[row : row + 1], (20000, 1)), noise))
        for row in (0, 1)
    ]
    shares = np.bincount(drawn[0], minlength=3) / 20000
    np.testing.assert_allclose(shares, [0, *softmax([0, 1])], atol=0.02)
    assert (drawn[1] == 2).all()


def test_extreme_draws_are_finite():
    uniform = np.array([[0.0, 1.0, 0.5]], "float32")
    assert int(draw_by_noise(np.zeros((1, 3), "float32"), uniform)[0]) == 1


def test_words_by_label_and_teacher():
    """By hand in numpy: a mean over two words of weight 1, each mixed by its row's share."""
    rng = np.random.default_rng(1)
    logits, teacher = rng.normal(size=(2, 2, 3, 5)).astype("float32")
    labels = np.array([[0, 4, 99], [2, 1, 1]])
    weights = np.array([[1, 0, 0], [0, 1, 0]], "float32")
    share = np.array([0.25, 0.75], "float32")
    losses = []
    for row, place in ((0, 0), (1, 1)):
        log_p = log_softmax(logits[row, place])
        hard, soft = -log_p[labels[row, place]], -(softmax(teacher[row, place]) * log_p).sum()
        losses.append((1 - share[row]) * hard + share[row] * soft)
    found = distilled_masked_lm(labels, logits, teacher, weights, share)
    np.testing.assert_allclose(float(found), np.mean(losses), rtol=1e-5)
    alone = distilled_masked_lm(labels, logits, teacher, weights, np.zeros(2, "float32"))
    np.testing.assert_allclose(float(alone), float(masked_lm(labels, logits, weights)), rtol=1e-6)
    assert float(distilled_masked_lm(labels, logits, teacher, 0 * weights, share)) == 0
