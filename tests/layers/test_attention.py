"""Attention against plain loops, with padding and rotations of every kind."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.layers import packing
from vidsim.layers.attention import Attention, Rows
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
    layer = Attention(HEADS, **kwargs)
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


OTHER = 7  # width of the memory; its videos have 0 to 4 positions
MEMORY_MASK = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], bool)


def cross_reference(w, x, mask, memory, memory_mask):
    """Value in float64, and the gradients by x, by the memory and by every weight, of the sum of
    squares over the real queries: each found by moving a number up and down by a millionth."""

    def value(x, memory, w):
        project = lambda name, of: of @ w[f"{name}/kernel"] + w[f"{name}/bias"]  # noqa: E731
        query, key, val = project("query", x), project("key", memory), project("value", memory)
        context = np.zeros_like(query)
        for b, i, head in np.ndindex(BATCH, LENGTH, HEADS):
            at = slice(head * SIZE, (head + 1) * SIZE)
            real = np.flatnonzero(memory_mask[b])
            if len(real):
                scores = np.exp(key[b, real, at] @ query[b, i, at] / np.sqrt(SIZE))
                context[b, i, at] = scores / scores.sum() @ val[b, real, at]
        return context @ w["output/kernel"] + w["output/bias"]

    def slope(array):
        found = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            sides = []
            for step in (1e-6, -1e-6):
                array[place] += step
                sides.append((value(x, memory, w)[mask] ** 2).sum())
                array[place] -= step
            found[place] = (sides[0] - sides[1]) / 2e-6
        return found

    return value(x, memory, w), {name: slope(of) for name, of in {"x": x, "m": memory, **w}.items()}


def gradients_of(loss, inputs, weights):
    """Of loss(*inputs), by the inputs and by the weights; on the backend at hand."""
    if keras.backend.backend() == "jax":
        import jax

        def of_values(inputs, values):
            with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
                return loss(*inputs)

        return jax.grad(of_values, argnums=(0, 1))(inputs, [weight.value for weight in weights])
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = loss(*inputs)
    return tape.gradient(value, (inputs, [weight.value for weight in weights]))


@pytest.mark.parametrize("kind", [packing.RealPositions, packing.EveryPosition])
def test_attention_to_another_sequence(example, kind):
    """Value and gradient, with a video that has nothing to attend to."""
    if kind is packing.RealPositions and keras.backend.backend() == "jax":
        pytest.skip("JAX packs every position")
    x, mask = example
    memory = np.random.default_rng(2).normal(0, 1, (BATCH, 4, OTHER))
    layer = Attention(HEADS)
    layer.build((None, WIDTH), OTHER)
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    names = ["/".join(w.path.split("/")[-2:]) for w in layer.trainable_weights]
    values = [w.numpy().astype("float64") for w in layer.trainable_weights]
    exact = dict(zip(names, values, strict=True))
    expected, slopes = cross_reference(exact, x, mask, memory, MEMORY_MASK)

    def attended(x, memory):
        queries, keys = kind(mask, HEADS), kind(MEMORY_MASK, HEADS)
        rows = layer(queries.rows(x), packing=queries, memory=Rows(keys.rows(memory), keys))
        return queries.positions(rows)

    def loss(x, memory):
        return ops.sum(ops.where(mask[:, :, None], attended(x, memory), 0.0) ** 2)

    inputs = [ops.convert_to_tensor(array.astype("float32")) for array in (x, memory)]
    found = ops.convert_to_numpy(attended(*inputs))
    np.testing.assert_allclose(found[mask], expected[mask], atol=1e-5)
    by_input, by_weight = gradients_of(loss, inputs, layer.trainable_weights)
    gradients = dict(zip(("x", "m", *names), (*by_input, *by_weight), strict=True))
    for name, gradient in gradients.items():
        scale = np.abs(slopes[name]).max() + 1
        found = ops.convert_to_numpy(gradient)
        np.testing.assert_allclose(found, slopes[name], atol=2e-5 * scale, err_msg=name)
    assert not np.allclose(slopes["m"][MEMORY_MASK], 0)
    assert (slopes["m"][~MEMORY_MASK] == 0).all()


@pytest.mark.parametrize("kind", [packing.RealPositions, packing.EveryPosition])
def test_self_attention_is_attention_to_its_own_rows(example, kind):
    """Value and gradient: the case of one packing for queries and keys."""
    if kind is packing.RealPositions and keras.backend.backend() == "jax":
        pytest.skip("JAX packs every position")
    x, mask = example
    layer, _ = build()

    def loss(x, own):
        packed = kind(mask, HEADS)
        memory = None if own is None else Rows(packed.rows(own), packed)
        found = packed.positions(layer(packed.rows(x), packing=packed, memory=memory))
        return ops.sum(ops.where(mask[:, :, None], found, 0.0) ** 2)

    x = ops.convert_to_tensor(x.astype("float32"))
    weights = layer.trainable_weights
    (alone,), by_weight = gradients_of(lambda x: loss(x, None), [x], weights)
    (queries, keys), also_by_weight = gradients_of(loss, [x, ops.copy(x)], weights)
    np.testing.assert_allclose(alone, queries + keys, atol=1e-4)
    for one, other in zip(by_weight, also_by_weight, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("kind", [packing.RealPositions, packing.EveryPosition])
def test_padding_on_either_side_changes_nothing(example, kind):
    """On TensorFlow's packing and on JAX's: more of it, and other numbers in it."""
    if kind is packing.RealPositions and keras.backend.backend() == "jax":
        pytest.skip("JAX packs every position")
    x, mask = example
    memory = np.random.default_rng(2).normal(0, 1, (BATCH, 4, WIDTH))
    layer, _ = build()

    def attend_to(x, mask, memory, memory_mask):
        queries, keys = kind(mask, HEADS), kind(memory_mask, HEADS)
        to = Rows(keys.rows(memory.astype("float32")), keys)
        rows = layer(queries.rows(x.astype("float32")), packing=queries, memory=to)
        return ops.convert_to_numpy(queries.positions(rows))

    before = attend_to(x, mask, memory, MEMORY_MASK)
    longer = [np.concatenate([a, np.full_like(a[:, :2], 9)], axis=1) for a in (x, memory)]
    masks = [np.concatenate([a, np.zeros((BATCH, 2), bool)], axis=1) for a in (mask, MEMORY_MASK)]
    longer[1][:, :4] = np.where(MEMORY_MASK[:, :, None], memory, 50)
    after = attend_to(longer[0], masks[0], longer[1], masks[1])[:, :LENGTH]
    np.testing.assert_allclose(after[mask], before[mask], atol=1e-6)
    without = attend_to(x, mask, memory[:, :0], MEMORY_MASK[:, :0])
    np.testing.assert_allclose(without[1][mask[1]], before[1][mask[1]], atol=1e-6)
    assert np.abs(without[0] - before[0])[mask[0]].max() > 1e-2


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="got 3 heads, width 8"):
        Attention(3).build((None, None, 8))
