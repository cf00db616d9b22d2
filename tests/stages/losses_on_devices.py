"""Trains on one device and on two, virtual ones of the CPU, and prints what came out as JSON.

python tests/stages/losses_on_devices.py tensorflow mix:pretrain uniter:finetune
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = sys.argv[1]
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
)
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import numpy as np
import tensorflow as tf

from vidsim.models.pair_scorer import PairScorer
from vidsim.models.task import Task
from vidsim.objectives.objective import build_objectives
from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives
from vidsim.schema import COSINE
from vidsim.stages.data_parallel import data_parallel
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer

SIZE, STEPS, LENGTH, FRAMES, LABELS, WORDS = 6, 4, 5, 3, 7, 50
BROKEN = 2  # the batch with a NaN, in rows of the second device
SMALL = {"encoder_width": 16, "encoder_heads": 2, "encoder_intermediate": 16}
SMALL_MIX = {"branches": 2, "vlad_hidden_size": 16, "hidden_size": 16, "fusion_norm": False}


def build(recipe, stage, devices):
    """Dropout is on where both draw the same numbers: JAX's depend on the place in the batch."""
    model = SMALL | (SMALL_MIX if recipe == "mix" else {})
    if keras.backend.backend() == "tensorflow":
        model |= {"dropout": 0.0, "encoder_dropout": 0.0}
    run = {"devices": devices, "batch_size": SIZE, "lr": 1e-4, "bert_lr": 1e-4}
    (plain,) = registry.load(recipe, "tiny")
    recipe = plain.but(model=model, **{stage: run})
    config = getattr(recipe, stage)
    keras.utils.set_random_seed(0)
    with data_parallel(config):
        backbone = recipe.model.build(recipe.model.encoder(WORDS), LABELS)
        kind, more = (PairScorer, (COSINE,)) if stage == "finetune" else (Task, ())
        losses = build_objectives(objectives(config), backbone, (*backbone.output_keys, *more))
        optimizer = build_optimizer(config.optimizer, 100, 100)
        return Trainer(kind(backbone, losses), optimizer)


def batch(stage, number):
    """Rows differ in how much of them is padding, so a mean of the devices' means is another."""
    rng = np.random.default_rng(number)
    lead = (SIZE, 2) if stage == "finetune" else (SIZE,)
    made = {
        "token_ids": rng.integers(5, WORDS, (*lead, LENGTH), "int32"),
        "token_mask": np.arange(LENGTH) < rng.integers(1, LENGTH + 1, (*lead, 1)),
        "frames": rng.normal(0, 1, (*lead, FRAMES, 1536)).astype("float16"),
        "frame_mask": np.arange(FRAMES) < rng.integers(0, FRAMES + 1, (*lead, 1)),
        "tags": (rng.random((*lead, LABELS)) < 0.3).astype("uint8"),
        "mlm_positions": rng.integers(0, LENGTH, (*lead, 2), "int32"),
        "mlm_labels": rng.integers(5, WORDS, (*lead, 2), "int32"),
        "mlm_weights": (rng.random((*lead, 2)) < 0.6).astype("float32"),
    }
    if stage == "finetune":
        made["sim"] = rng.random(SIZE, "float32")
    if number == BROKEN:
        made["frame_mask"][-1] = True
        made["frames"][-1] = np.nan
    return made


def dataset(stage):
    spec = {key: tf.TensorSpec(value.shape, value.dtype) for key, value in batch(stage, 0).items()}
    made = tf.data.Dataset.from_generator(
        lambda: (batch(stage, number) for number in range(STEPS)), output_signature=spec
    )
    return made.apply(tf.data.experimental.assert_cardinality(STEPS)).prefetch(2)


class Losses(keras.callbacks.Callback):
    """Keeps every update's losses."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def on_train_batch_end(self, batch, logs=None):
        self.kept.append({name: float(value) for name, value in logs.items()})
        self.model.reset_metrics()


def kept(name):
    """Of the state: Adam's means of the gradients, and the moving statistics."""
    return "momentum" in name or "moving" in name


def devices_of(value):
    """How many devices hold the variable."""
    return len(value.devices()) if hasattr(value, "devices") else len(getattr(value, "values", [1]))


def train(recipe, stage, devices):
    trainer, losses = build(recipe, stage, devices), Losses()
    trainer.fit(dataset(stage), [losses])
    last = trainer.state()
    trainer.reset()
    trainer.restore(last)
    again = trainer.state()
    return {
        "losses": losses.kept,
        "skipped": int(np.array(keras.ops.copy(trainer.task.total_notfinite.value))),
        "restored": all(np.array_equal(value, again[name]) for name, value in last.items()),
        "devices": devices_of(trainer.task.trainable_variables[0].value),
        "norms": [float(np.linalg.norm(last[name])) for name in last if kept(name)],
    }


if __name__ == "__main__":
    if keras.backend.backend() == "tensorflow":
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    runs = [name.split(":") for name in sys.argv[2:]]
    # Keras keeps a distribution until it is told another: all on one device come first
    results = {
        f"{recipe}:{stage}:{devices}": train(recipe, stage, devices)
        for devices in (1, 2)
        for recipe, stage in runs
    }
    print(json.dumps(results))
