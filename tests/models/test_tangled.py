"""ActBERT's family by hand: stretching, spans of time, the global region, and a layer in numpy."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.layers.attention import Rows
from vidsim.layers.packing import pack
from vidsim.layers.tangled_layer import ACTIONS, REGIONS, TEXT, TangledLayer, stretch
from vidsim.layers.time_spans import first_columns, spans_of
from vidsim.models.configs import build_backbone
from vidsim.models.tangled_config import TangledConfig


def mask(*rows):
    return np.array([[letter == "x" for letter in row] for row in rows])


def sources(found):
    """The action of each position, -1 where it has none."""
    found = np.array(found)
    assert (found.sum(axis=-1) <= 1).all()
    return np.where(found.any(axis=-1), found.argmax(axis=-1), -1).tolist()


def test_an_action_goes_to_the_positions_nearest_to_it():
    """Position j of L gets floor(j A / L). By hand, 3 of 7: 0 0 0 1 1 2 2; 2 of 5: 0 0 0 1 1."""
    words = mask("xxxxxxx", "xxxxx..", "x.x....", "xxx....", ".......")
    actions = mask("xxx", "xx.", "xxx", "...", "xxx")
    assert sources(stretch(words, actions)) == [
        [0, 0, 0, 1, 1, 2, 2],
        [0, 0, 0, 1, 1, -1, -1],
        [0, -1, 1, -1, -1, -1, -1],  # of two real positions the second: floor(1 * 3 / 2)
        [-1] * 7,
        [-1] * 7,
    ]
    assert sources(stretch(words, actions, published=True)) == [[0, 0, 0, 1, 1, 2, 2]] * 5


@pytest.mark.parametrize(("count", "length"), [(5, 37), (5, 36), (3, 2), (1, 4), (7, 5)])
def test_both_forms_agree_where_nothing_is_padded(count, length):
    ones = np.ones((2, length), bool), np.ones((2, count), bool)
    expected = [[j * count // length for j in range(length)]] * 2
    assert sources(stretch(*ones)) == sources(stretch(*ones, published=True)) == expected


def test_actions_are_means_of_equal_spans_of_time():
    """Of 5 frames, at most 2 spans: frame j is in span floor(j 2 / 5): 0 0 0 1 1. Of 1, one."""
    frames = np.array([[[1], [2], [6], [5], [7]], [[4], [90], [90], [90], [90]]], "float16")
    x, there = spans_of(frames, mask("xxxxx", "x...."), 2)
    np.testing.assert_array_equal(np.array(x)[..., 0], [[3, 6], [4, 0]])
    np.testing.assert_array_equal(np.array(there), [[True, True], [True, False]])
    x, there = spans_of(frames[:, :0], np.ones((2, 0), bool), 2)
    assert np.array(x).shape == (2, 2, 1) and not np.array(there).any()
    np.testing.assert_array_equal(np.array(first_columns(mask(".x"), 3)), mask(".x."))
    np.testing.assert_array_equal(np.array(first_columns(mask(".xx"), 2)), mask(".x"))


def test_the_global_region_is_the_mean_of_the_real_frames(build_smallest):
    backbone = build_smallest("tangled")
    frames = np.full((2, 3, 1536), 9, "float16")
    frames[0, 0], frames[0, 1] = 1, 4
    x, boxes, there = backbone._regions({"frames": frames, "frame_mask": mask("xx.", "...")})
    np.testing.assert_array_equal(np.array(x)[0, :3, 0], [2.5, 1, 4])
    np.testing.assert_array_equal(np.array(there), mask("xxx.", "...."))
    np.testing.assert_array_equal(np.array(boxes), np.broadcast_to([0, 0, 1, 1, 1], (2, 4, 5)))


def numpy_layer(w, streams, masks, heads, published):
    """TangledLayer of one video on its real rows; in the code's form all actions are rows."""

    def dense(x, name):
        return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * w[f"{name}/gamma"] + w[f"{name}/beta"]

    def attend(q, k, v, real):
        out = []
        for q_, k_, v_ in zip(*(np.split(x, heads, axis=-1) for x in (q, k, v)), strict=True):
            e = np.exp(q_ @ k_.T / np.sqrt(q_.shape[-1])) * real
            out.append(e / e.sum(-1, keepdims=True) @ v_)
        return np.concatenate(out, axis=-1)

    real = {s: np.ones(len(x), bool) for s, x in streams.items()}
    real[ACTIONS] = masks[ACTIONS]
    q, k, v = (
        {s: dense(x, f"{s}/{part}") for s, x in streams.items()}
        for part in ("query", "key", "value")
    )
    found = {s: attend(q[ACTIONS], k[s], v[s], real[s]) for s in (TEXT, REGIONS)}
    for stream, of, at in ((TEXT, REGIONS, "av"), (REGIONS, TEXT, "at")):
        count, length = len(streams[ACTIONS]), len(streams[stream])
        source = np.arange(length) * count // length
        value = dense(found[of], "value_at" if published else f"value_{at}")
        k[stream] = k[stream] + dense(found[of], f"key_{at}")[source]
        v[stream] = v[stream] + value[source]
    out = {}
    for s, x in streams.items():
        attended = dense(attend(q[s], k[s], v[s], real[s]), f"{s}/output")
        x = norm(x + attended, f"{s}/attention_norm")
        inner = np.maximum(dense(x, f"{s}/expand"), 0)
        out[s] = norm(x + dense(inner, f"{s}/contract"), f"{s}/output_norm")
    return out


def test_a_tangled_layer_is_numpys_on_the_real_rows_of_each_video():
    """Values that av adds are by its own projection; words, regions and actions are padded."""
    widths = {TEXT: 4, REGIONS: 6, ACTIONS: 4}
    layer = TangledLayer(8, 2, {TEXT: 5, REGIONS: 3, ACTIONS: 5}, "relu", 0.0, 0.0)
    layer.build(widths)
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(rng.normal(0, 1, weight.shape))
    w = {"/".join(v.path.split("/")[-3:]): v.numpy() for v in layer.weights}
    w = {name.removeprefix(f"{layer.name}/"): value for name, value in w.items()}
    masks = {
        TEXT: mask("xxxxx", "xxx.."),
        REGIONS: mask("xxx.", "xxxx"),
        ACTIONS: mask("xx.", "xxx"),
    }
    x = {
        s: rng.normal(0, 1, (2, m.shape[1], widths[s])).astype("float32") for s, m in masks.items()
    }
    packings = {s: pack(ops.convert_to_tensor(m), 2) for s, m in masks.items()}
    streams = {s: Rows(packings[s].rows(x[s]), packings[s]) for s in masks}
    stretches = {s: stretch(masks[s], masks[ACTIONS]) for s in (TEXT, REGIONS)}
    out = {
        s: packings[s].positions(r) for s, r in layer(streams=streams, stretches=stretches).items()
    }
    for row in range(2):
        alone = {s: x[s][row][m[row]] for s, m in masks.items()}
        real = {s: m[row][m[row]] for s, m in masks.items()}
        expected = numpy_layer(w, alone, real, 2, published=False)
        wrong = numpy_layer(w, alone, real, 2, published=True)
        for s, m in masks.items():
            found = np.array(out[s])[row][m[row]]
            np.testing.assert_allclose(found, expected[s], atol=2e-5)
            assert s != TEXT or np.abs(found - wrong[s]).max() > 1e-2  # the guard


def test_padding_changes_the_published_form_alone(build_smallest, make_inputs):
    """It counts padded words, frames and actions, and with nothing padded is the other one but for
    one projection."""
    both = [build_smallest("tangled", published_quirks=quirks) for quirks in (False, True)]
    change = []
    for backbone in both:
        found = [
            np.array(backbone(make_inputs((6, 3), (2, 1), *more))[schema.EMBEDDING])
            for more in ((), (9, 4))
        ]
        change.append(np.abs(found[1] - found[0]).max())
    assert change[0] < 1e-5 and change[1] > 1e-3
    assert len(both[0].weights) == len(both[1].weights) + 4  # value_av of two layers
    for layer in both[0].tangled:
        layer.value_av.set_weights(layer.value_at.get_weights())
    for ours, theirs in zip(
        *(sorted(b.weights, key=lambda w: w.path) for b in (both[1], _Without(both[0]))),
        strict=True,
    ):
        ours.assign(theirs)
    whole = make_inputs((6, 6), (7, 7))
    found = [np.array(backbone(whole)[schema.EMBEDDING]) for backbone in both]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


class _Without:
    """The weights of a backbone that the published form has too."""

    def __init__(self, backbone):
        self.weights = [w for w in backbone.weights if "value_av" not in w.path]


def test_streams_of_the_data_are_read(build_smallest):
    """Regions with boxes and actions, without frames: each changes the embedding."""
    widths = {schema.REGIONS: 6, schema.REGION_BOXES: 5, schema.ACTIONS: 7}
    one = {"encoder_layers": 1, "region_layers": 1, "action_layers": 1, "tangled_layers": 1}
    backbone = build_smallest("tangled", inputs={"widths": widths}, **one)
    rng = np.random.default_rng(0)
    inputs = {
        schema.TOKEN_IDS: rng.integers(5, 90, (2, 4), "int32"),
        schema.TOKEN_MASK: np.ones((2, 4), bool),
        schema.REGION_MASK: mask("xxx", "xx."),
        schema.ACTION_MASK: mask("xx", "x."),
    }
    inputs |= {
        name: rng.normal(0, 1, (2, 2 if name == schema.ACTIONS else 3, width)).astype("float16")
        for name, width in widths.items()
    }

    def embed(inputs):
        return np.array(backbone(inputs)[schema.EMBEDDING])

    before = embed(inputs)
    padded = inputs | {name: inputs[name].copy() for name in widths}
    for name in widths:
        padded[name][1, -1] = 5
    np.testing.assert_allclose(embed(padded), before, atol=1e-5)
    for name in widths:
        changed = inputs | {name: inputs[name].copy()}
        changed[name][0, 1] = 5
        assert np.abs(embed(changed) - before)[0].max() > 1e-4


def test_what_the_family_cannot_read_is_refused():
    config = TangledConfig(encoder_layers=1, tangled_layers=2, region_layers=1)
    assert [line.split(" ", 1)[0] for line in config.contradictions()] == ["--tangled-layers"]
    from vidsim.models.input_spec import InputSpec

    spec = InputSpec(config.encoder(200), 0, {schema.FRAMES: 8})
    for changes, words in (
        ({}, "the text encoder has 1 layers"),
        ({"widths": {}}, "reads frames or regions"),
        ({"widths": {schema.REGIONS: 8}}, "needs actions, or frames to make them of"),
        ({"text_fields": ()}, "reads words"),
    ):
        with pytest.raises(VidsimError, match=words):
            build_backbone(config, dataclasses.replace(spec, **changes))


def test_float16_is_finite_for_extreme_features(build_smallest, make_inputs):
    """Frames of 60,000, whose projections are beyond float16; also without words, or frames."""
    one = {"encoder_layers": 1, "region_layers": 1, "action_layers": 1, "tangled_layers": 1}
    keras.config.set_dtype_policy("mixed_float16")
    try:
        backbone = build_smallest("tangled", **one)
    finally:
        keras.config.set_dtype_policy("float32")
    inputs = make_inputs((5, 5, 5), (3, 3, 0))
    inputs[schema.FRAMES] = np.sign(inputs[schema.FRAMES]) * np.float16(6e4)
    inputs[schema.TOKEN_MASK][1] = False
    for name, value in backbone(inputs, training=True).items():
        assert np.isfinite(np.array(ops.cast(value, "float32"))).all(), name
