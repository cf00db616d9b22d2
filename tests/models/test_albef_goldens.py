"""ALBEF's pretraining against arrays of the published code: two steps, gradients, one update."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from published_albef import (
    batch,
    build,
    close,
    golden,
    load,
    momentum_name,
    named,
    ours,
)

from vidsim import schema
from vidsim.models.momentum_pretrainer import MomentumPretrainer
from vidsim.objectives.momentum_configs import (
    DistilledLMConfig,
    HardMatchConfig,
    MomentumContrastConfig,
)
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer

NAME = "albef.npz"
GROUPS = ("image_feat", "text_feat")


class Fed(MomentumPretrainer):
    """Takes its negatives from the arrays, and keeps the probabilities it would draw by."""

    fed = ()

    def draw(self, logits, training):
        self.drawn = [*getattr(self, "drawn", []), ops.convert_to_numpy(ops.softmax(logits))]
        return ops.convert_to_tensor(self.fed[len(self.drawn) - 1])


@pytest.fixture(scope="module")
def arrays():
    return golden(NAME)


@pytest.fixture(scope="module")
def model(arrays):
    """In its state before step 1."""
    with pytest.MonkeyPatch.context() as patch:
        backbone = build(arrays, patch)
    queue = arrays["queue0/image_queue"].shape[1]
    configs = (
        MomentumContrastConfig(itc_queue=queue, itc_alpha=float(arrays["s1/alpha"])),
        HardMatchConfig(match_weight=1.0),
        DistilledLMConfig(mlm_weight=1.0),
    )
    model = Fed(backbone, [config.build(backbone) for config in configs])
    variables = named(backbone, model.objectives)
    assert len(variables) == sum(key.startswith("grad1/") for key in arrays)
    load(arrays, variables)
    for name, shadow in shadows(model).items():
        shadow.assign(ours(variables[name], arrays[f"w0/{momentum_name(name)}"]))
    model.text_queue.assign(arrays["queue0/text_queue"].T)
    model.video_queue.assign(arrays["queue0/image_queue"].T)
    model.queue_place.assign(arrays["queue0/queue_ptr"][0])
    return model


def shadows(model):
    """The teacher's weights by the published name of the weight that they follow."""
    kept = {id(weight): shadow for weight, shadow in model.teacher}
    variables = named(model.backbone, model.objectives)
    found = {name: kept[id(v)] for name, v in variables.items() if id(v) in kept}
    assert variables.keys() - found.keys() == {"temp", "itm_head.weight", "itm_head.bias"}
    return found


def step(model, arrays, group):
    """One forward pass of training with the negatives of the arrays; parts of the loss by name."""
    inputs = batch(arrays, group)
    names = ("neg_image_idx_for_text", "neg_text_idx_for_image")
    model.fed, model.drawn = [arrays[f"{group}/{name}"] for name in names], []
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        model.reset_metrics()
        total = model.compute_loss(x=inputs, y_pred=outputs)
    gradients = tape.gradient(total, model.trainable_variables)
    parts = {part.name: float(part.result()) for part in model.parts}
    return (
        outputs,
        total,
        parts,
        dict(zip(map(id, model.trainable_variables), gradients, strict=True)),
    )


def check(model, arrays, group, after):
    outputs, total, parts, gradients = step(model, arrays, group)
    temperature = arrays[f"{group}/sim_i2t"].std() / outputs[schema.VIDEO_COSINES].numpy().std()
    for cosines, sims in ((schema.VIDEO_COSINES, "sim_i2t"), (schema.TEXT_COSINES, "sim_t2i")):
        close(outputs[cosines] * temperature, arrays[f"{group}/{sims}"], sims, 1e-4)
    close(outputs[schema.TEXT_EMBEDDING], arrays[f"{group}/text_feat"], "text_feat")
    close(outputs[schema.VIDEO_EMBEDDING], arrays[f"{group}/image_feat"], "image_feat")
    for drawn, name in zip(
        model.drawn, ("neg_image_weights_t2i", "neg_text_weights_i2t"), strict=True
    ):
        weights = arrays[f"{group}/{name}"]
        close(drawn, weights / weights.sum(axis=1, keepdims=True), name)
    fused = np.concatenate([arrays[f"{group}/fusion_{k}"] for k in ("pos", "neg")])
    close(outputs[schema.MATCH_VECTOR], fused[:, 0], "fused [CLS]")
    head = next(item for item in model.objectives if item.name == "match").head
    close(head(outputs[schema.MATCH_VECTOR]), arrays[f"{group}/itm_logits"], "itm_logits", 1e-4)
    inputs = batch(arrays, group)
    words = next(item for item in model.objectives if item.name == "mlm")
    real = inputs[schema.MLM_WEIGHTS] > 0
    for logits, name in (
        (words.logits(outputs[schema.HIDDEN_STATES], inputs), "mlm_logits"),
        (outputs[schema.TEACHER_LOGITS], "mlm_logits_m"),
    ):
        expected = np.take_along_axis(
            arrays[f"{group}/{name}"], inputs[schema.MLM_POSITIONS][:, :, None], axis=1
        )
        close(logits.numpy()[real], expected[real], name, 1e-4)
    for part, name in (("itc", "ita"), ("match", "itm"), ("mlm", "mlm")):
        assert parts[part] == pytest.approx(float(arrays[f"{group}/loss_{name}"]), rel=1e-5), name
    assert float(total) == pytest.approx(float(arrays[f"{group}/loss_total"]), rel=1e-5)
    close(model.text_queue, arrays[f"queue{after}/text_queue"].T, "text_queue")
    close(model.video_queue, arrays[f"queue{after}/image_queue"].T, "image_queue")
    assert int(model.queue_place.numpy()) == arrays[f"queue{after}/queue_ptr"][0]
    return gradients


def update(model, arrays, gradients):
    """One update of AdamW; the weights are then those of the arrays to the last digit."""
    variables = named(model.backbone, model.objectives)
    config = OptimizerConfig(
        lr=1e-3, bert_lr=1e-3, minimum_lr=1e-3, warmup_steps=0, bert_warmup_steps=0,
        weight_decay=0.02, clip_norm=0.0,
    )  # fmt: skip
    optimizer = build_optimizer(config, model.backbone, 10, 10)
    trained = model.trainable_variables
    optimizer.build(trained)
    optimizer.apply(
        [
            tf.convert_to_tensor(gradients[id(v)])
            if gradients[id(v)] is not None
            else tf.zeros(v.shape)
            for v in trained
        ],
        trained,
    )
    for name, variable in variables.items():
        expected = ours(variable, arrays[f"w1/{name}"])
        # where a gradient is next to nothing, Adam's epsilon, which Keras scales, decides
        sure = np.abs(ours(variable, arrays[f"grad1/{name}"])) > 1e-4
        difference = np.abs(variable.numpy() - expected)
        assert difference[sure].max(initial=0) < 1e-5, name
        variable.assign(expected)


def test_two_steps_of_pretraining(model, arrays):
    """Step 1 with every gradient, the teacher and the queues; AdamW's update; step 2 after it."""
    variables = named(model.backbone, model.objectives)
    gradients = check(model, arrays, "s1", 1)
    for name, variable in variables.items():
        expected = ours(variable, arrays[f"grad1/{name}"])
        found = tf.convert_to_tensor(gradients[id(variable)])
        scale = np.abs(expected).max()
        close(found, expected, name, atol=1e-4 * max(scale, 1e-3))
    known = shadows(model)
    for name, shadow in known.items():
        expected = arrays[f"momentum1/{momentum_name(name)}"]
        close(shadow, ours(variables[name], expected), name)

    update(model, arrays, gradients)
    check(model, arrays, "s2", 2)
    for name in (key for key in arrays if key.startswith("momentum2/")):
        online = name.removeprefix("momentum2/").replace("_m.", ".", 1)
        close(known[online], ours(variables[online], arrays[name]), name)


@pytest.mark.parametrize("alpha", [0, 1])
def test_without_and_with_the_teacher_alone(alpha, arrays):
    with pytest.MonkeyPatch.context() as patch:
        backbone = build(arrays, patch)
    queue = arrays["queue0/image_queue"].shape[1]
    configs = (
        MomentumContrastConfig(itc_queue=queue, itc_alpha=float(alpha)),
        HardMatchConfig(match_weight=1.0),
        DistilledLMConfig(mlm_weight=1.0),
    )
    model = Fed(backbone, [config.build(backbone) for config in configs])
    variables = named(backbone, model.objectives)
    load(arrays, variables)
    for name, shadow in shadows(model).items():
        shadow.assign(ours(variables[name], arrays[f"w0/{momentum_name(name)}"]))
    model.text_queue.assign(arrays["queue0/text_queue"].T)
    model.video_queue.assign(arrays["queue0/image_queue"].T)
    _, _, parts, _ = step(model, arrays, "s1")
    for part, name in (("itc", "ita"), ("match", "itm"), ("mlm", "mlm")):
        expected = float(arrays[f"s1_alpha{alpha}/loss_{name}"])
        assert parts[part] == pytest.approx(expected, rel=1e-5), name
