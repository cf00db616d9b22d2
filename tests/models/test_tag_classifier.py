"""Tags are rare, and every family's classifier knows it from the start."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from vidsim import schema
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.recipes import registry


@pytest.mark.parametrize("name", registry.RECIPES)
def test_a_tag_has_one_percent(name):
    """Whatever the video: with an embedding of zeros, that is all that the logits say."""
    (recipe,) = registry.load(name, "tiny")
    model, widths = recipe.model, {schema.FRAMES: 1536}
    texts = tuple(field for field, _ in model.texts)
    spec = InputSpec(model.encoder(50), 7, widths, texts, separator=3)
    backbone = build_backbone(model, spec)
    found = [x for x in backbone._flatten_layers() if x.name.startswith("classifier")]
    assert len(found) == getattr(model, "branches", 1)
    for layer in found:
        assert layer.units == 7
        np.testing.assert_allclose(ops.sigmoid(layer.bias), 0.01, rtol=1e-5)


@pytest.mark.slow
def test_a_pooler_that_saturates_learns_tags():
    """LXMERT at a high rate: 256 updates on 40 videos of a tag each. Where biases begin at 0 the
    embeddings of all videos end as one, and the loss at that of the tags' shares."""
    keras.utils.set_random_seed(0)
    (recipe,) = registry.load("lxmert", "small")
    rng = np.random.default_rng(0)
    count = 40
    spec = InputSpec(recipe.model.encoder(60), 400, {schema.FRAMES: 16}, (schema.TITLE,))
    backbone = build_backbone(recipe.model, spec)
    inputs = {
        schema.TOKEN_IDS: np.tile(np.array([[2, 5, 6, 3]], "int32"), (count, 1)),
        schema.TOKEN_MASK: np.ones((count, 4), bool),
        schema.FRAMES: rng.normal(size=(count, 3, 16)).astype("float32"),
        schema.FRAME_MASK: np.ones((count, 3), bool),
    }
    tags = np.eye(400, dtype="float32")[np.arange(count)]
    optimizer = keras.optimizers.AdamW(2e-3, clipnorm=1.0)
    weights = backbone.trainable_variables

    optimizer.build(weights)

    @tf.function
    def update():
        with tf.GradientTape() as tape:
            logits = backbone(inputs, training=True)[schema.TAG_LOGITS]
            value = ops.sum(ops.binary_crossentropy(tags, logits, from_logits=True)) / count
        optimizer.apply(tape.gradient(value, weights), weights)
        return value

    for _ in range(256):
        value = update()
    alike = -np.log(1 / 40) - 39 * np.log(1 - 1 / 40)  # all videos have the tags' shares
    assert float(value) < alike / 2
