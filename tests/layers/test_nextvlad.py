"""NeXtVLAD against plain loops, value and gradient; and what padding must never change."""

import keras
import numpy as np
import pytest
from keras import ops

from vidsim.layers.nextvlad import NeXtVLAD

FRAMES, WIDTH, CLUSTERS, GROUPS, OUTPUT = 4, 3, 3, 2, 2
WEIGHTS = {  # the reference's names for the layer's weights
    "expand": lambda layer: layer.expand.kernel,
    "expand_bias": lambda layer: layer.expand.bias,
    "attention": lambda layer: layer.attention.kernel,
    "attention_bias": lambda layer: layer.attention.bias,
    "assignment": lambda layer: layer.assignment.kernel,
    "gamma": lambda layer: layer.score_norm.gamma,
    "beta": lambda layer: layer.score_norm.beta,
    "moving_mean": lambda layer: layer.score_norm.moving_mean,
    "moving_variance": lambda layer: layer.score_norm.moving_variance,
    "centres": lambda layer: layer.centres,
    "project": lambda layer: layer.project.kernel,
    "project_bias": lambda layer: layer.project.bias,
}
NORM_ONLY = ("gamma", "beta", "moving_mean", "moving_variance")


def reference(w, frames, mask, training=False, batch_norm=True):
    """The paper's algorithm frame by frame, group by group, centre by centre, in float64."""
    clusters, size = w["centres"].shape
    groups = w["attention"].shape[1]
    scores = {}
    for b, t in zip(*np.nonzero(mask), strict=True):
        wide = frames[b, t] @ w["expand"] + w["expand_bias"]
        scores[b, t] = wide @ w["assignment"], wide
    if batch_norm:
        mean, variance = w["moving_mean"], w["moving_variance"]
        if training:
            seen = np.array([score for score, _ in scores.values()])
            mean, variance = seen.mean(axis=0), seen.var(axis=0)
        for key, (score, wide) in scores.items():
            score = (score - mean) / np.sqrt(variance + 1e-3) * w["gamma"] + w["beta"]
            scores[key] = score, wide

    output = np.zeros((len(frames), w["project"].shape[1]))
    for b in range(len(frames)):
        if not mask[b].any():
            continue
        vlad = np.zeros((clusters, size))
        for t in np.flatnonzero(mask[b]):
            score, wide = scores[b, t]
            attention = 1 / (1 + np.exp(-(wide @ w["attention"] + w["attention_bias"])))
            for g in range(groups):
                exponentials = np.exp(score[g * clusters : (g + 1) * clusters])
                for k in range(clusters):
                    share = attention[g] * exponentials[k] / exponentials.sum()
                    vlad[k] += share * (wide[g * size : (g + 1) * size] - w["centres"][k])
        vlad /= np.linalg.norm(vlad, axis=1, keepdims=True)
        output[b] = vlad.ravel() @ w["project"] + w["project_bias"]
    return output


def make_layer(seed=0, width=WIDTH, **kwargs):
    """A small layer whose every weight, moving statistics too, is random."""
    settings = {"clusters": CLUSTERS, "output_size": OUTPUT, "groups": GROUPS, "dropout": 0.0}
    layer = NeXtVLAD(**{**settings, "dtype": "float64", **kwargs})
    layer.build((None, None, width))
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        low, high = (0.5, 2) if "variance" in weight.path else (-1, 1)
        weight.assign(rng.uniform(low, high, weight.shape))
    return layer


def weights_of(layer):
    named = {n: w for n, w in WEIGHTS.items() if layer.batch_norm or n not in NORM_ONLY}
    return {name: np.asarray(find(layer).value).copy() for name, find in named.items()}


@pytest.fixture
def batch():
    """Five videos with 4, 1, 2, 0 and 2 frames, the last one with a gap; padding is not zero."""
    frames = np.random.default_rng(9).normal(size=(5, FRAMES, WIDTH))
    mask = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1]], bool)
    return frames, mask


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_value_equals_the_reference(training, batch_norm, batch):
    layer = make_layer(batch_norm=batch_norm)
    expected = reference(weights_of(layer), *batch, training, batch_norm)
    found = ops.convert_to_numpy(layer(*batch, training=training))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected[:3]).min() > 1e-3  # nothing is equal for being zero


@pytest.mark.parametrize("training", [True, False])
def test_gradient_equals_the_reference(training, batch):
    """Every weight and every frame, one number at a time.

    In training the frames and the widening weights also act through the batch's own statistics.
    """
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow's tape")
    import tensorflow as tf

    frames, mask = batch
    layer, factor = make_layer(), np.random.default_rng(10).normal(size=(5, OUTPUT))
    weights = {**weights_of(layer), "frames": frames}
    tensors = {name: find(layer).value for name, find in WEIGHTS.items() if "moving" not in name}
    tensors["frames"] = tf.constant(frames)
    with tf.GradientTape() as tape:
        tape.watch(tensors["frames"])
        total = tf.reduce_sum(layer(tensors["frames"], mask, training=training) * factor)
    found = tape.gradient(total, tensors)

    def total_with(name, value):
        moved = {**weights, name: value}
        return np.sum(reference(moved, moved.pop("frames"), mask, training) * factor)

    for name in tensors:
        expected, value = np.zeros_like(weights[name]), weights[name]
        for index in np.ndindex(value.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = value.copy()
                moved[index] += step
                ends.append(total_with(name, moved))
            expected[index] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(found[name], expected, atol=2e-6, err_msg=name)
        assert np.abs(expected).max() > 1e-3, name
    assert not np.asarray(found["frames"])[~mask].any()


@pytest.mark.parametrize("training", [True, False])
def test_padding_changes_nothing(training, batch):
    """Seven more frames of padding, large ones: the same output and the same moving statistics."""
    frames, mask = (batch[0].astype("float32"), batch[1])
    padded = np.concatenate([frames, np.full((5, 7, WIDTH), 50, "float32")], axis=1)
    longer = np.concatenate([mask, np.zeros((5, 7), bool)], axis=1)
    short, long = make_layer(dtype="float32"), make_layer(dtype="float32")
    expected, found = (
        short(frames, mask, training=training),
        long(padded, longer, training=training),
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=1e-6
    )
    for ours, theirs in zip(short.weights, long.weights, strict=True):
        np.testing.assert_allclose(ours.value, theirs.value, atol=1e-6)


def test_moving_statistics_come_from_real_frames(batch):
    frames, mask = batch
    layer = make_layer()
    w = weights_of(layer)
    layer(frames, mask, training=True)
    scores = (frames[mask] @ w["expand"] + w["expand_bias"]) @ w["assignment"]
    for name, batch_statistic in {
        "moving_mean": scores.mean(axis=0),
        "moving_variance": scores.var(axis=0),
    }.items():
        expected = 0.99 * w[name] + 0.01 * batch_statistic
        np.testing.assert_allclose(weights_of(layer)[name], expected, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_empty_videos_are_exactly_zero(training, dtype, batch):
    frames, mask = batch[0].astype("float32"), batch[1]
    layer = make_layer(dtype=dtype)
    output = ops.convert_to_numpy(ops.cast(layer(frames, mask, training=training), "float32"))
    assert not output[3].any()
    assert output[[0, 1, 2, 4]].all()
    nobody = layer(frames, np.zeros_like(mask), training=training)
    assert not ops.convert_to_numpy(ops.cast(nobody, "float32")).any()


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("empty", [False, True])
def test_gradients_are_finite(dtype, empty, batch):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow's tape")
    import tensorflow as tf

    frames, mask = batch[0].astype("float32"), batch[1] & (not empty)
    layer = make_layer(dtype=dtype)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(frames, mask, training=True))
    for gradient in tape.gradient(total, [w.value for w in layer.trainable_weights]):
        assert np.isfinite(gradient).all()
        assert not (empty and np.any(gradient))


def test_mixed_precision_is_close_to_float32():
    rng = np.random.default_rng(11)
    frames, mask = rng.normal(size=(6, 8, 32)).astype("float32"), rng.random((6, 8)) < 0.7
    settings = {"width": 32, "clusters": 4, "groups": 8, "output_size": 16}
    narrow = make_layer(dtype="mixed_bfloat16", **settings)
    wide = make_layer(dtype="float32", **settings)
    found, expected = narrow(frames, mask), ops.convert_to_numpy(wide(frames, mask))
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    assert {w.dtype for w in narrow.weights} == {"float32"}
    error = ops.convert_to_numpy(ops.cast(found, "float32")) - expected
    assert np.abs(error).max() < 0.03 * np.abs(expected).max()


def test_dropout_acts_in_training_only(batch):
    layer = make_layer(dropout=0.5)
    again = [ops.convert_to_numpy(layer(*batch, training=False)) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    first, second = (ops.convert_to_numpy(layer(*batch, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-2


def test_groups_must_divide_the_expanded_width():
    layer = NeXtVLAD(clusters=2, output_size=4, expansion=2, groups=8)
    with pytest.raises(ValueError, match=r"groups 8 .* width 20 \(expansion 2 x 10\)"):
        layer(np.ones((1, 3, 10), "float32"), np.ones((1, 3), bool))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_configuration_makes_the_same_layer(batch_norm, batch):
    settings = {
        "clusters": 2,
        "output_size": 5,
        "expansion": 4,
        "groups": 3,
        "dropout": 0.1,
        "batch_norm": batch_norm,
    }
    layer = make_layer(**settings)
    again = NeXtVLAD.from_config(layer.get_config())
    again.build((None, None, WIDTH))
    for ours, theirs in zip(again.weights, layer.weights, strict=True):
        ours.assign(theirs.value)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(again(*batch)), ops.convert_to_numpy(layer(*batch))
    )
    assert {name: getattr(again, name) for name in settings} == settings


# Keras 3.15 makes arrays of its variables in a way that numpy 2.4 is about to drop.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_functional_model_with_any_number_of_frames(tmp_path, batch):
    """One saved model takes batches of any length."""
    frames, mask = keras.Input((None, WIDTH)), keras.Input((None,), dtype="bool")
    vector = NeXtVLAD(CLUSTERS, OUTPUT, groups=GROUPS)(frames, mask)
    assert vector.shape == (None, OUTPUT)
    model = keras.Model([frames, mask], vector)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for steps in (FRAMES, 2):
        inputs = [batch[0][:, :steps].astype("float32"), batch[1][:, :steps]]
        np.testing.assert_allclose(again(inputs), model(inputs), atol=1e-6)
