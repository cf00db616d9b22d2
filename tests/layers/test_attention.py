"""Self-attention against plain loops, with padding and rotations of every kind."""

import keras
import numpy as np
import pytest
from keras import ops
from vidsim.layers.self_attention import SelfAttention

from vidsim.layers import packing
from vidsim.layers.rotary import rotary_angles

BATCH, LENGTH, WIDTH, HEADS = 3, 5, 8, 2
SIZE = WIDTH // HEADS


def reference(w, x, mask, rotary=False, rotary_value=False):
    """Head by head, query by query, key by key, in float64."""

    def project(name):
        return (x @ w[f"{name}/kernel"] + w[f"{name}/bias"]).reshape(*x.shape[:2], HEADS, SIZE)

    query, key, value = (project(name) for name in ("query", "key", "value"))
    if rotary:
        query, key = turn(query), turn(key)
        value = turn(value) if rotary_value else value
    context = np.zeros_like(query)
    for b, i, head in np.ndindex(BATCH, LENGTH, HEADS):
        real = [j for j in range(LENGTH) if mask[b, j]]
        scores = [query[b, i, head] @ key[b, j, head] / np.sqrt(SIZE) for j in real]
        shares = np.exp(scores) / np.exp(scores).sum()
        context[b, i, head] = sum(s * value[b, j, head] for s, j in zip(shares, real, strict=True))
    return context.reshape(x.shape) @ w["output/kernel"] + w["output/bias"]


def turn(x):
    """RoFormer's equation 34: the pair (2i, 2i + 1) at position p turns by p / 10000^(2i / d)."""
    turned = np.zeros_like(x)
    for p in range(LENGTH):
        for i in range(SIZE // 2):
            angle = p * 10000 ** (-2 * i / SIZE)
            cos, sin = np.cos(angle), np.sin(angle)
            even, odd = x[:, p, :, 2 * i], x[:, p, :, 2 * i + 1]
            turned[:, p, :, 2 * i] = even * cos - odd * sin
            turned[:, p, :, 2 * i + 1] = even * sin + odd * cos
    return turned


@pytest.fixture(params=[1, 32], autouse=True)
def multiple(request, monkeypatch):
    """Rows of the real positions alone, and of all."""
    monkeypatch.setattr(packing, "MULTIPLE", request.param)


@pytest.fixture
def example():
    rng = np.random.default_rng(0)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 1, 0]], bool)
    return rng.normal(0, 1, (BATCH, LENGTH, WIDTH)), mask


def build(**kwargs):
    layer = SelfAttention(HEADS, **kwargs)
    layer.build((None, None, WIDTH))
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    weights = {"/".join(w.path.split("/")[-2:]): w.numpy() for w in layer.trainable_weights}
    return layer, {name: value.astype("float64") for name, value in weights.items()}


def attend(layer, x, mask, angles=None, training=None):
    """(B, S, D) -> (B, S, D); angles of the S positions."""
    packed = packing.pack(mask, HEADS)
    rotary = None
    if angles is not None:
        rotary = [packed.rows(np.stack(len(x) * [ops.convert_to_numpy(a)])) for a in angles]
    rows = packed.rows(x.astype("float32"))
    rows = layer(rows, packing=packed, rotary=rotary, training=training)
    return ops.convert_to_numpy(packed.positions(rows))


@pytest.mark.parametrize(("rotary", "rotary_value"), [(False, False), (True, False), (True, True)])
def test_value_equals_the_reference(example, rotary, rotary_value):
    x, mask = example
    layer, weights = build(rotary_value=rotary_value)
    assert len(weights) == 8
    angles = rotary_angles(np.arange(LENGTH), SIZE) if rotary else None
    found = attend(layer, x, mask, angles)
    expected = reference(weights, x, mask, rotary, rotary_value)
    np.testing.assert_allclose(found[mask], expected[mask], atol=1e-5)


def test_what_the_mask_hides_is_not_read(example):
    """Not a trace: the results are equal to the last bit."""
    x, mask = example
    layer, _ = build()
    other = np.where(mask[:, :, None], x, 50)
    np.testing.assert_array_equal(attend(layer, x, mask)[mask], attend(layer, other, mask)[mask])


def test_videos_without_anything_real_do_no_harm(example):
    x, mask = example
    layer, _ = build()
    assert np.isfinite(attend(layer, x, np.zeros_like(mask))).all()
    mask[1] = False
    found = attend(layer, x, mask)
    assert np.isfinite(found).all()
    alone = attend(layer, x[[0, 2]], mask[[0, 2]])
    np.testing.assert_allclose(found[mask], alone[mask[[0, 2]]], atol=1e-6)


def test_dropout_only_in_training(example):
    x, mask = example
    keras.utils.set_random_seed(0)
    layer, _ = build(dropout=0.5)
    quiet, again, noisy = (
        attend(layer, x, mask, training=training) for training in (False, False, True)
    )
    np.testing.assert_array_equal(quiet, again)
    assert (quiet != noisy).any()


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="got 3 heads, width 8"):
        SelfAttention(3).build((None, None, 8))
