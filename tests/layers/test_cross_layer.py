"""LXMERT's layer and its frames' embedding, by hand; the whole model is in test_cross."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.layers.attention import Rows
from vidsim.layers.cross_layer import CrossLayer
from vidsim.layers.packing import pack
from vidsim.layers.visual_embedding import VisualEmbedding

SIDES = ("language", "vision")
SHAPE = (2, 12, "gelu", 0.0, 0.0, 1e-12)


def made(sides=SIDES, shared=True):
    layer = CrossLayer(sides, shared, *SHAPE, name="layer")
    layer.build((None, 8))
    rng = np.random.default_rng(1)
    for weight in sorted(layer.trainable_weights, key=lambda weight: weight.path):
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return layer


def sides_of(lengths, padding=0):
    """Rows of two videos for each side; what padding holds is noise."""
    rng, found = np.random.default_rng(3), {}
    noise = np.random.default_rng(padding)
    for name, real in lengths.items():
        mask = np.arange(max(real) + padding) < np.array(real)[:, None]
        x = np.where(mask[..., None], 0, noise.normal(0, 9, (*mask.shape, 8)))
        for row, count in enumerate(real):
            x[row, :count] = rng.normal(0, 1, (count, 8))
        packing = pack(ops.convert_to_tensor(mask), 2)
        found[name] = Rows(packing.rows(x.astype("float32")), packing)
    return found


def run(layer, lengths, padding=0):
    """The real positions after the layer, by side."""
    after = layer(sides=sides_of(lengths, padding))
    found = {}
    for name, real in lengths.items():
        x = ops.convert_to_numpy(after[name].packing.positions(after[name].rows))
        found[name] = np.concatenate([x[row, :count] for row, count in enumerate(real)])
    return found


def test_both_directions_read_the_inputs():
    """The parts of the layer in their order; frames must not read words that have read them."""
    layer, sides = made(), sides_of({"language": (3, 2), "vision": (2, 2)})
    reading = layer.readings["language"]
    assert reading is layer.readings["vision"]
    found = layer(sides=sides)
    for name, other in (SIDES, SIDES[::-1]):
        mine, read = sides[name], sides[other]
        context = reading.attention(mine.rows, packing=mine.packing, memory=read)
        crossed = reading.norm(mine.rows + context)
        expected = layer.own[name](crossed, packing=mine.packing)
        np.testing.assert_allclose(
            ops.convert_to_numpy(found[name].rows), ops.convert_to_numpy(expected), atol=1e-6
        )


@pytest.mark.parametrize("shared", [True, False])
def test_padding_and_a_side_that_is_not_there(shared):
    layer = made(shared=shared)
    lengths = {"language": (3, 2), "vision": (0, 2)}
    expected = run(layer, lengths)
    for name, value in run(layer, lengths, padding=3).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-5)
        assert np.isfinite(value).all()


def test_weights_of_both_directions_and_of_one_side():
    shared, apart = made(), made(shared=False)
    of_reading = len(apart.readings["vision"].trainable_weights)
    assert len(apart.trainable_weights) == len(shared.trainable_weights) + of_reading
    assert apart.readings["vision"] is not apart.readings["language"]
    alone = made(("vision",))
    assert len(alone.trainable_weights) == len(alone.own["vision"].trainable_weights)
    side = sides_of({"vision": (2, 1)})
    expected = alone.own["vision"](side["vision"].rows, packing=side["vision"].packing)
    found = alone(sides=side)["vision"].rows
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(expected))


def norm(x):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True))


@pytest.mark.parametrize(("normed", "boxed"), [(False, False), (True, False), (True, True)])
def test_three_ways_for_a_frame_to_enter(normed, boxed):
    layer = VisualEmbedding(8, 0.5, 1e-12, norm=normed, boxes=boxed)
    layer.build((None, None, 5))
    rng = np.random.default_rng(0)
    layer.project.kernel.assign(rng.normal(size=(5, 8)))
    frames = rng.normal(size=(2, 3, 5)).astype("float16")
    expected = frames.astype("float64") @ layer.project.kernel.numpy()
    expected = norm(expected) if normed else expected
    if boxed:
        layer.box.kernel.assign(rng.normal(size=(4, 8)))
        whole = np.array([0.0, 0, 1, 1]) @ layer.box.kernel.numpy()
        expected = (expected + norm(whole)) / 2
    found = ops.convert_to_numpy(layer(frames, training=False))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if boxed:
        given = np.broadcast_to(np.float32([0, 0, 1, 1]), (2, 3, 4))
        np.testing.assert_allclose(ops.convert_to_numpy(layer(frames, given)), expected, atol=1e-5)
    if not normed:  # the bare projection has no dropout either
        np.testing.assert_allclose(layer(frames, training=True), found, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float32"])
def test_the_largest_features_stay_finite(policy):
    """65,504, the largest float16, in all numbers, through a layer that reads across."""
    keras.config.set_dtype_policy(policy)
    try:
        embedding, layer = VisualEmbedding(8, 0.0, 1e-12), made()
    finally:
        keras.config.set_dtype_policy("float32")
    frames = np.full((2, 3, 1536), np.finfo("float16").max, "float16")
    sides = sides_of({"language": (3, 2), "vision": (3, 3)})
    dtype = embedding.compute_dtype
    seen = embedding(frames)
    seen = sides["vision"].packing.rows(seen)
    words = ops.cast(sides["language"].rows, dtype)
    given = {
        "language": Rows(words, sides["language"].packing),
        "vision": Rows(seen, sides["vision"].packing),
    }
    for side in layer(sides=given).values():
        assert np.isfinite(ops.convert_to_numpy(ops.cast(side.rows, "float32"))).all()
