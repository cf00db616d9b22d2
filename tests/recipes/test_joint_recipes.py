"""VideoBERT and the winner at size tiny: every weight learns, and the losses are what they say."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from vidsim import schema
from vidsim.models.configs import build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.pair_scorer import PairScorer
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.pipeline import Batches, pretraining_dataset
from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives
from vidsim.training.loss_evaluator import LossEvaluator
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer

PARTS = {
    ("videobert", "pretrain"): ["mlm", "match", "tag"],
    ("videobert", "finetune"): ["similarity", "tag"],
    ("winner", "pretrain"): ["tag", "mlm", "masked_frames"],
    ("winner", "finetune"): ["similarity"],
}


@pytest.fixture(scope="module", params=["videobert", "winner"])
def tiny(request, videos, tokenizer, tags):
    """Recipe, backbone, and the videos as its inputs."""
    keras.utils.set_random_seed(0)
    (recipe,) = registry.load(request.param, "tiny")
    encoder = recipe.model.encoder(len(tokenizer))
    separator = tokenizer.special.sep
    spec = InputSpec(encoder, len(tags), {"frames": 1536}, separator=separator)
    backbone = build_backbone(recipe.model, spec)
    return recipe, backbone, Examples(videos, tokenizer, tags, recipe.model)


def spoiled(recipe, batch, tokenizer):
    """More of it than in training, so that ten videos are enough."""
    corruption = recipe.pretrain.corruption
    more = {name: 0.6 for name in ("words", "frames") if getattr(corruption, name)}
    rng = np.random.default_rng(1)
    return replace(corruption, **more).apply(batch, tokenizer.special, len(tokenizer), rng)


@pytest.fixture(params=["pretrain", "finetune"])
def training(request, tiny, tokenizer):
    """The stage's model and its batch."""
    recipe, backbone, examples = tiny
    batch = examples.batch(np.arange(2, 12))
    config = getattr(recipe, request.param)
    if request.param == "pretrain":
        losses = build_objectives(objectives(config), backbone, backbone.output_keys)
        return (
            recipe,
            request.param,
            config.task_model(backbone, losses),
            batch | spoiled(recipe, batch, tokenizer),
        )
    available = (*backbone.output_keys, schema.COSINE)
    pairs = {key: value.reshape(5, 2, *value.shape[1:]) for key, value in batch.items()}
    pairs[schema.SIM] = np.array([0, 1, 0.25, 0.75, 0.5], "float32")
    task = PairScorer(backbone, build_objectives(objectives(config), backbone, available))
    return recipe, request.param, task, pairs


def test_gradients_reach_every_variable(training):
    """Except the bias of the keys; and the tags' classifier where tags are not learned."""
    import tensorflow as tf

    recipe, stage, task, batch = training
    batch = {key: ops.convert_to_tensor(value) for key, value in batch.items()}
    with tf.GradientTape() as tape:
        loss = task.compute_loss(x=batch, y_pred=task(batch, training=True))
    variables = task.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    unreached = set()
    for variable, gradient in zip(variables, gradients, strict=True):
        dense = None if gradient is None else tf.convert_to_tensor(gradient).numpy()
        assert dense is None or np.isfinite(dense).all(), variable.path
        if dense is None or np.abs(dense).max() < 1e-7:
            unreached.add("/".join(variable.path.split("/")[-3:]))
    expected = {"attention/key/bias"}
    if not getattr(recipe, stage).tag.tag_weight:
        expected |= {"joint/classifier/kernel", "joint/classifier/bias"}
    assert unreached == expected


def test_a_training_step(training):
    """Eagerly; its parts are those of the document, none of them silent."""
    recipe, stage, task, batch = training
    first = [weight.numpy().copy() for weight in task.backbone.weights]
    config = getattr(recipe, stage)
    trainer = Trainer(task, build_optimizer(config.optimizer, task.backbone, 2, 2))
    task.run_eagerly = True
    batch = {key: ops.convert_to_tensor(value) for key, value in batch.items()}
    logs = task.train_on_batch(batch, return_dict=True)
    assert sorted(logs) == sorted(["loss", *PARTS[recipe.name, stage]])
    parts = [logs[name] for name in PARTS[recipe.name, stage]]
    assert logs["loss"] == pytest.approx(sum(parts), rel=1e-4)
    assert all(part > 1e-3 for part in parts)
    assert task.total_notfinite.numpy() == 0
    trainer.reset()
    for weight, value in zip(task.backbone.weights, first, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_pretraining_can_be_validated_by_its_own_loss(tiny):
    """Where there are no ratings: the same batches, spoiled in the same way, each time."""
    recipe, backbone, examples = tiny
    config = recipe.pretrain
    losses = build_objectives(objectives(config), backbone, backbone.output_keys)
    batches = Batches(10, 2, 0)
    evaluator = LossEvaluator(
        config.task_model(backbone, losses),
        lambda: pretraining_dataset(examples, batches, config.corruption),
    )
    found = evaluator()
    assert sorted(found) == sorted(["loss", *PARTS[recipe.name, "pretrain"]])
    assert all(np.isfinite(list(found.values())))
    assert evaluator() == found
