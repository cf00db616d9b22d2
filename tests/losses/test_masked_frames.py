"""Masked frames: by hand, against plain loops, with nothing hidden, and for extreme numbers."""

import numpy as np
import pytest
from keras import ops

from vidsim.losses.masked_frames import (
    masked_frame_classes,
    masked_frame_nce,
    masked_frame_regression,
)

FORMATS = ("float32", "bfloat16", "float16")
MASK = np.array([[1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0]], bool)
CHOSEN = np.array([[0, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0]], bool)  # two of them are padding
REAL = CHOSEN & MASK


def of_batch(predicted, frames, mask, chosen, *how, **more):
    """The loss of whole batches (B, T, D), (B, T)."""
    size, count = frames.shape[-1], mask.size
    p, x = ops.reshape(predicted, (-1, size)), ops.reshape(frames, (-1, size))
    return masked_frame_nce(
        p, np.arange(count), np.reshape(chosen, -1), x, np.reshape(mask, -1), *how, **more
    )


def nce(predicted, frames, mask, chosen, temperature=1.0, normalize=False):
    """One chosen frame at a time, over a list of the real ones."""
    if normalize:
        predicted, frames = (
            x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (predicted, frames)
        )
    losses = []
    for place in zip(*np.nonzero(mask & chosen), strict=True):
        scores = [predicted[place] @ x / temperature for x in frames[mask]]
        own = predicted[place] @ frames[place] / temperature
        losses.append(np.log(np.sum(np.exp(scores))) - own)
    return np.mean(losses)


def classes(targets, logits, chosen):
    losses = []
    for place in zip(*np.nonzero(chosen), strict=True):
        p = np.exp(logits[place]) / np.exp(logits[place]).sum()
        terms = zip(targets[place], p, strict=True)
        losses.append(sum(t * np.log(t / q) for t, q in terms if t))
    return np.mean(losses)


@pytest.fixture
def example():
    rng = np.random.default_rng(7)
    return rng.normal(0, 1, (4, 3, 5)), rng.normal(0, 1, (4, 3, 5))


def test_nce_by_hand(as_array):
    """Frames (1, 0), (0, 1) and a padded one; the prediction (ln 3, 0) of the first finds it by
    3 / (3 + 1): -log 3/4 = 0.28768. At temperature 1/2 by 9 / (9 + 1): 0.10536."""
    frames = np.array([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    predicted = np.array([[[np.log(3), 0.0], [5.0, 5.0], [5.0, 5.0]]])
    mask, chosen = np.array([[True, True, False]]), np.array([[True, False, False]])
    loss = as_array(of_batch(predicted, frames, mask, chosen))
    assert loss == pytest.approx(0.287682, rel=1e-5)
    loss = as_array(of_batch(predicted, frames, mask, chosen, temperature=0.5))
    assert loss == pytest.approx(0.105361, rel=1e-5)


@pytest.mark.parametrize("how", [{}, {"temperature": 0.3}, {"normalize": True, "temperature": 0.1}])
def test_nce_equals_the_reference(how, example, gradients, central_differences, as_array):
    """What is padded is not predicted, whoever chose it, and nothing it says is compared with."""
    p, x = example
    found = as_array(of_batch(p, x, MASK, CHOSEN, **how))
    assert found == pytest.approx(nce(p, x, MASK, CHOSEN, **how), rel=1e-9)
    noise = 1e3 * ~MASK[:, :, None]
    again = as_array(of_batch(p + noise, x - noise, MASK, CHOSEN, **how))
    assert again == pytest.approx(float(found), rel=1e-12)
    of_p, of_x = gradients(lambda a, b: of_batch(a, b, MASK, CHOSEN, **how), p, x)
    by_p = central_differences(lambda a: nce(a, x, MASK, CHOSEN, **how), p)
    by_x = central_differences(lambda b: nce(p, b, MASK, CHOSEN, **how), x)
    np.testing.assert_allclose(of_p, by_p, atol=1e-7)
    np.testing.assert_allclose(of_x, by_x, atol=1e-7)
    assert not of_p[~REAL].any()
    assert not of_x[~MASK].any()


def test_classes_by_hand(as_array):
    """Target (1/2, 1/2, 0) against softmax (1/2, 1/4, 1/4): 1/2 ln 1 + 1/2 ln 2 = 0.34657. A frame
    whose targets are all 0 counts as one, and costs nothing: half of that."""
    logits = np.log([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.4, 0.4]]])
    targets = np.array([[[0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [0.2, 0.4, 0.4]]])
    for chosen, expected in (([1, 0, 0], 0.346574), ([1, 1, 0], 0.173287), ([0, 0, 1], 0)):
        loss = as_array(masked_frame_classes(targets, logits, np.array([chosen], bool)))
        assert loss == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_classes_equal_the_reference(example, gradients, central_differences, as_array):
    logits, other = example
    targets = np.exp(other) / np.exp(other).sum(axis=-1, keepdims=True) * (other > -0.5)
    found = as_array(masked_frame_classes(targets, logits, CHOSEN))
    assert found == pytest.approx(classes(targets, logits, CHOSEN), rel=1e-9)
    (of_logits,) = gradients(lambda z: masked_frame_classes(targets, z, CHOSEN), logits)
    expected = central_differences(lambda z: classes(targets, z, CHOSEN), logits)
    np.testing.assert_allclose(of_logits, expected, atol=1e-7)


def test_regression_is_the_mean_squared_error_of_the_chosen(example, as_array):
    predicted, frames = example
    found = as_array(masked_frame_regression(predicted, frames, CHOSEN))
    assert found == pytest.approx(np.mean((predicted - frames)[CHOSEN] ** 2), rel=1e-6)


def test_nce_is_the_published_one(goldens, gradients, as_array):
    golden = goldens("qq2021_winner_mfm.npz")
    p, x, mask = (
        golden[f"mfm/{name}"] for name in ("predicted_frames", "true_frames", "frame_mask")
    )
    chosen = golden["mfm/label_index"] != -100
    found = as_array(of_batch(p, x, mask, chosen))
    assert found == pytest.approx(float(golden["mfm/loss"]), rel=1e-5)
    for temperature in (0.1, 0.07):
        found = as_array(of_batch(p, x, mask, chosen, temperature, normalize=True))
        expected = float(golden[f"mfm/loss_normalized_temp_{temperature}"])
        assert found == pytest.approx(expected, rel=1e-5)
    of_p, of_x = gradients(lambda a, b: of_batch(a, b, mask, chosen), p, x)
    for gradient, name in ((of_p, "predicted"), (of_x, "true")):
        expected = golden[f"mfm/grad_{name}_frames"]
        np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())
    assert as_array(of_batch(p, x, mask, 0 * chosen)) == 0  # theirs is NaN
    assert golden["mfm_none/loss_is_nan"]


LOSSES = {
    "nce": lambda p, x, chosen: of_batch(p, x, MASK, chosen),
    "cosine": lambda p, x, chosen: of_batch(p, x, MASK, chosen, 0.07, normalize=True),
    "classes": lambda p, x, chosen: masked_frame_classes(ops.relu(x), p, chosen),
    "regression": masked_frame_regression,
}


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_nothing_hidden_is_zero_and_extremes_stay_finite(loss, dtype, gradients, as_array):
    """Identical, zero and very large numbers; no frame at all is the first."""
    for size in (0.0, 1e-7, 1.0, 6e4):
        p, x = np.full((4, 3, 5), size), -np.full((4, 3, 5), size)
        x[1] *= -1
        for chosen in (CHOSEN, np.zeros_like(CHOSEN)):
            value = loss(*(ops.cast(np.asarray(a, "float32"), dtype) for a in (p, x)), chosen)
            assert np.isfinite(as_array(value))
            found = gradients(lambda a, b, c=chosen: loss(a, b, c), p, x, dtype=dtype)
            assert all(np.isfinite(gradient).all() for gradient in found)
            if not chosen.any():
                assert as_array(value) == 0
                assert not found[0].any()
