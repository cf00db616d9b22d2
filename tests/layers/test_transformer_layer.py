"""One transformer layer: its order of things, by parts, and its shapes."""

import dataclasses
import math

import numpy as np
import pytest
from keras import ops

from vidsim.layers.attention import Rows
from vidsim.layers.packing import pack
from vidsim.layers.transformer_layer import CrossAttentionLayer, TransformerLayer
from vidsim.models.configs import BackboneConfig
from vidsim.models.text_encoder import TextEncoder


@pytest.fixture
def layer():
    layer = TransformerLayer(heads=2, intermediate=12, layer_norm_eps=1e-3, name="layer")
    layer.build((None, 8))
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return layer


def run(layer, x, mask, **kwargs):
    """(B, S, D) -> (B, S, D), by a layer of rows."""
    packing = pack(mask, heads=2)
    rows = layer(packing.rows(x.astype("float32")), packing=packing, **kwargs)
    return ops.convert_to_numpy(packing.positions(rows))


def norm(x, gamma, beta):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-3) * gamma + beta


def test_norms_come_after_the_sums(layer):
    """Attention itself is proved elsewhere; the rest is done here by hand, with the exact GELU."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (2, 3, 8)).astype("float32")
    mask = np.array([[1, 1, 1], [1, 1, 0]], bool)
    w = {"/".join(v.path.split("/")[1:]): v.numpy() for v in layer.trainable_weights}
    attended = run(layer.attention, x, mask)
    middle = norm(x + attended, w["attention_norm/gamma"], w["attention_norm/beta"])
    wide = middle @ w["expand/kernel"] + w["expand/bias"]
    wide = wide * (1 + np.vectorize(math.erf)(wide / math.sqrt(2))) / 2
    narrow = wide @ w["contract/kernel"] + w["contract/bias"]
    expected = norm(middle + narrow, w["output_norm/gamma"], w["output_norm/beta"])
    np.testing.assert_allclose(run(layer, x, mask)[mask], expected[mask], atol=1e-5)


def test_cross_attention_stands_between_the_halves(layer):
    """Its parts in their order, by hand; attention itself is proved elsewhere."""
    crossed = CrossAttentionLayer(heads=2, intermediate=12, layer_norm_eps=1e-3, name="layer")
    crossed.build((None, 8), memory_width=6)
    rng = np.random.default_rng(1)
    for weight in crossed.trainable_weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    x = rng.normal(0, 1, (2, 3, 8)).astype("float32")
    memory = rng.normal(0, 1, (2, 4, 6)).astype("float32")
    mask, real = (
        np.array([[1, 1, 1], [1, 1, 0]], bool),
        np.array([[1, 0, 0, 0], [1, 1, 1, 1]], bool),
    )
    keys = pack(real, heads=2)
    to = Rows(keys.rows(memory), keys)
    queries = pack(mask, heads=2)
    rows = crossed.attend(queries.rows(x), queries, None, False)
    found = crossed.cross_attention(rows, packing=queries, memory=to)
    w = {v.path.split("/")[-1]: v.numpy() for v in crossed.cross_norm.trainable_weights}
    middle = norm(ops.convert_to_numpy(rows + found), w["gamma"], w["beta"])
    expected = crossed.transform(ops.convert_to_tensor(middle), False)
    result = run(crossed, x, mask, memory=to)
    expected = ops.convert_to_numpy(queries.positions(expected))
    np.testing.assert_allclose(result[mask], expected[mask], atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 2, 8), (2, 7, 8), (5, 3, 8)])
def test_shapes(layer, shape):
    assert run(layer, np.ones(shape), np.ones(shape[:2], bool)).shape == shape


def test_dropout_only_in_training(layer):
    x, mask = np.random.default_rng(0).normal(size=(2, 3, 8)), np.ones((2, 3), bool)
    found = [run(layer, x, mask, training=t) for t in (False, False, True)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_attention_dropout_is_on_by_itself(rate):
    """Without the other dropouts, which hide whether it is, and down from a model's own flag."""
    config = BackboneConfig(
        encoder_layers=1, encoder_width=8, encoder_heads=2, encoder_dropout=rate
    )
    assert config.encoder(20).attention_dropout == rate
    encoder = TextEncoder(dataclasses.replace(config.encoder(20), dropout=0.0))
    ids, mask = np.arange(15).reshape(3, 5), np.ones((3, 5), bool)
    quiet, noisy = (ops.convert_to_numpy(encoder(ids, mask, training=t)) for t in (False, True))
    assert (quiet != noisy).any() == (rate > 0)
