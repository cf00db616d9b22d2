"""Trains on one device and on two, virtual ones of the CPU, and prints what came out as JSON.

python tests/stages/losses_on_devices.py tensorflow mix:pretrain uniter:finetune
"""

import json
import os
import sys
import types

os.environ["KERAS_BACKEND"] = sys.argv[1]
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
)
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import numpy as np
import tensorflow as tf

from vidsim.models.configs import build_backbone
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.input_spec import InputSpec
from vidsim.models.pair_scorer import PairScorer
from vidsim.objectives.configs import SimilarityConfig
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.batch_order import batches_of_run
from vidsim.preprocess.masking import SpecialTokens
from vidsim.preprocess.pipeline import Batches, pair_dataset
from vidsim.recipes import registry
from vidsim.recipes.recipe import objectives
from vidsim.schema import COSINE
from vidsim.stages.data_parallel import data_parallel
from vidsim.tasks.loaded_model import embed_videos
from vidsim.training.configs import OptimizerConfig
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer
from vidsim.training.tricks_config import TricksConfig

SIZE, STEPS, LENGTH, FRAMES, LABELS, WORDS = 6, 4, 5, 3, 7, 50
BROKEN = 2  # the batch with a NaN, in rows of the second device
SMALL = {"encoder_width": 16, "encoder_heads": 2, "encoder_intermediate": 16}
SMALL_MIX = {"branches": 2, "vlad_hidden_size": 16, "hidden_size": 16, "fusion_norm": False}


def smallest(model):
    """The backbone of a configuration."""
    spec = InputSpec(model.encoder(WORDS), LABELS, {"frames": 1536}, separator=3)
    return build_backbone(model, spec)


def build(recipe, stage, devices):
    """Dropout is on where both draw the same numbers: JAX's depend on the place in the batch."""
    model = SMALL | (SMALL_MIX if recipe == "mix" else {})
    if keras.backend.backend() == "tensorflow":
        model |= {"dropout": 0.0, "encoder_dropout": 0.0}
    run = {"devices": devices, "batch_size": SIZE, "lr": 1e-4, "bert_lr": 1e-4}
    if recipe == "winner":
        run |= {"match_weight": 1.0}
    (plain,) = registry.load(recipe, "tiny")
    recipe = plain.but(model=model, **{stage: run})
    config = getattr(recipe, stage)
    keras.utils.set_random_seed(0)
    with data_parallel(config):
        backbone = smallest(recipe.model)
        kind, more = (PairScorer, (COSINE,)) if stage == "finetune" else (config.task_model, ())
        losses = build_objectives(objectives(config), backbone, (*backbone.output_keys, *more))
        optimizer = build_optimizer(config.optimizer, backbone, 100, 100)
        tricks = TricksConfig(ema=0.9 if stage == "finetune" else 0.0)
        return Trainer(kind(backbone, losses), optimizer, tricks=tricks)


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
        "unmasked_ids": rng.integers(5, WORDS, (*lead, LENGTH), "int32"),
        "mlm_positions": rng.integers(0, LENGTH, (*lead, 2), "int32"),
        "mlm_labels": rng.integers(5, WORDS, (*lead, 2), "int32"),
        "mlm_weights": (rng.random((*lead, 2)) < 0.6).astype("float32"),
    }
    if stage == "pretrain":
        chosen = rng.random((SIZE, FRAMES)) < 0.7
        made |= {
            "frames_chosen": chosen,
            "frames_hidden": chosen & (rng.random(SIZE) < 0.8)[:, None],
        }
        made |= {"matched": rng.random(SIZE) < 0.6}
    if stage == "finetune":
        made["sim"] = rng.random(SIZE, "float32")
    if number == BROKEN:
        made["frame_mask"][-1] = True
        made["frames"][-1] = np.nan
        if stage == "pretrain":  # a row that is hidden or left out would break nothing
            made["frames_hidden"][-1], made["matched"][-1] = False, True
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
    """Of the state: Adam's means of the gradients, moving statistics, and averages of weights."""
    return "momentum" in name or "moving" in name or "average" in name


def devices_of(value):
    """How many devices hold the variable."""
    return len(value.devices()) if hasattr(value, "devices") else len(getattr(value, "values", [1]))


class Videos:
    """Stands in for Examples: 23 videos, each as long as its number says."""

    config = types.SimpleNamespace(max_frames=FRAMES)
    tokenizer = types.SimpleNamespace(special=SpecialTokens(0, 1, 2, 3, 4))
    num_labels = LABELS
    names = ("token_ids", "token_mask", "frames", "frame_mask", "tags")
    all = np.arange(23)

    def __len__(self):
        return len(self.all)

    def last_size(self, name):
        return {"frames": 1536, "tags": LABELS}.get(name)

    def lengths(self, rows):
        return np.stack([2 + rows % (LENGTH - 1), rows % (FRAMES + 1)], axis=1)

    def batch(self, rows):
        tokens, frames = self.lengths(rows).T
        made = {
            "token_mask": np.arange(tokens.max()) < tokens[:, None],
            "frame_mask": np.arange(max(frames.max(), 1)) < frames[:, None],
            "tags": np.ones((len(rows), LABELS), "uint8"),
        }
        made["token_ids"] = (5 + rows[:, None] + made["token_mask"]).astype("int32")
        numbers = np.sin(np.arange(1536) * (1 + rows[:, None])).astype("float16")  # (B, 1536)
        made["frames"] = made["frame_mask"][:, :, None] * numbers[:, None]
        return made


def embedded(backbone):
    """Lengths of the 23 videos' embeddings, 7 at a time: the last batch is short."""
    found = embed_videos(EmbeddingModel(backbone), Videos(), Videos.all, 7)
    return np.linalg.norm(found, axis=1).tolist()


class Counted(PairScorer):
    """Counts how often Python runs through its loss: once for each program that is compiled."""

    programs = 0

    def compute_loss(self, *args, **kwargs):
        self.programs += 1
        return super().compute_loss(*args, **kwargs)


def programs():
    """Of 20 updates on pairs of many lengths; and how many lengths there were."""
    (recipe,) = registry.load("uniter", "tiny")
    recipe = recipe.but(model=SMALL)
    backbone = smallest(recipe.model)
    task = Counted(backbone, [SimilarityConfig().build(backbone)])
    rows = np.stack([Videos.all[:-1], Videos.all[1:]], axis=1)
    batches = Batches(2, 20, seed=0, length_pool=11)
    trainer = Trainer(task, build_optimizer(OptimizerConfig(), backbone, 20, 20), restartable=False)
    trainer.fit(pair_dataset(Videos(), rows, np.linspace(0, 1, len(rows)), batches), [])
    lengths = np.maximum(*(Videos().lengths(side) for side in rows.T))
    order = batches_of_run(lengths, 2, 20, 11, 0)
    shapes = {tuple(lengths[pairs].max(axis=0)) for _, pairs in order}
    return {"programs": task.programs, "shapes": len(shapes)}


def train(recipe, stage, devices):
    trainer, losses = build(recipe, stage, devices), Losses()
    trainer.fit(dataset(stage), [losses])
    embeddings = embedded(trainer.task.backbone)
    last = trainer.state()
    trainer.reset()
    trainer.restore(last)
    again = trainer.state()
    return {
        "losses": losses.kept,
        "skipped": int(np.array(keras.ops.copy(trainer.task.total_notfinite.value))),
        "restored": all(np.array_equal(value, again[name]) for name, value in last.items()),
        "embeddings": embeddings,
        "left": keras.distribution.distribution() is not None,
        "devices": devices_of(trainer.task.trainable_variables[0].value),
        "norms": [float(np.linalg.norm(last[name])) for name in last if kept(name)],
    }


if __name__ == "__main__":
    if keras.backend.backend() == "tensorflow":
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    runs = [name.split(":") for name in sys.argv[2:]]
    results = {
        f"{recipe}:{stage}:{devices}": train(recipe, stage, devices)
        for devices in (2, 1)
        for recipe, stage in runs
    }
    compiled = programs() if keras.backend.backend() == "jax" else None
    print(json.dumps({"runs": results, "compiled": compiled}))
