"""A model of two weights, trained by hand-made numbers on any backend.

python tests/training/toy_updates.py, with KERAS_BACKEND set, prints the updates as JSON.
"""

import json

import keras
import numpy as np
from keras import ops

from vidsim.models.task_model import TaskModel
from vidsim.objectives.objective import Objective
from vidsim.training.apply_if_finite import ApplyIfFinite
from vidsim.training.trainer import Trainer
from vidsim.training.tricks_config import TricksConfig

IDS = np.array([[0, 1], [3, 3], [1, 4]], "int32")
TARGET = np.array([0.5, -1.0, 2.0], "float32")
LR = 0.1


class Toy(keras.Model):
    """(B, 2) ids to (B,): the sum of two rows of a table, times a vector; and a row it never uses.

    Counts its passes, and its dropout, of the number 1, shows which mask a pass drew.
    """

    def __init__(self, dropout):
        super().__init__(name="toy")
        self.words = keras.layers.Embedding(6, 3, name="words")
        self.project = keras.layers.Dense(1, use_bias=False, name="project")
        self.unread = keras.layers.Dense(1, use_bias=False, name="unread")
        self.dropout = keras.layers.Dropout(dropout, seed=3)
        self.passes = self.add_weight(name="passes", initializer="zeros", trainable=False)
        for layer in (self.project, self.unread):
            layer.build((None, 3))
        self.words.build(())
        rng = np.random.default_rng(0)
        self.words.embeddings.assign(rng.normal(size=(6, 3)))
        self.project.kernel.assign(rng.normal(size=(3, 1)))

    def call(self, inputs, training=None):
        self.passes.assign_add(1.0)
        x = ops.sum(self.words(inputs["ids"]), axis=1)
        x = self.dropout(x, training=training)
        return {"y": self.project(x)[:, 0]}

    def word_embeddings(self):
        return self.words.embeddings

    def on_its_devices(self):
        import contextlib

        return contextlib.nullcontext()


class HalfSquare(Objective):
    """The mean of (y - target)^2 / 2, target among the inputs."""

    def __init__(self):
        super().__init__(1.0, name="half_square")

    def call(self, outputs, inputs):
        return ops.mean(ops.square(ops.cast(outputs["y"], "float32") - inputs["target"])) / 2


def build(dropout=0.0, **tricks):
    """A Trainer with plain gradient descent."""
    task = TaskModel(Toy(dropout), [HalfSquare()])
    optimizer = ApplyIfFinite(keras.optimizers.OptimizerMap(keras.optimizers.SGD(LR), {}))
    return Trainer(task, optimizer, tricks=TricksConfig(**tricks))


def update(trainer, broken=False, jit_compile=None):
    """One update; its loss as shown."""
    target = np.full_like(TARGET, np.nan) if broken else TARGET
    trainer.task.reset_metrics()
    history = trainer.task.fit({"ids": IDS, "target": target}, batch_size=3, verbose=0)
    return history.history["half_square"][0]


def weights(trainer):
    """Table, vector and number of passes."""
    toy = trainer.task.backbone
    named = {"words": toy.words.embeddings, "project": toy.project.kernel, "passes": toy.passes}
    return {name: np.array(variable.numpy()) for name, variable in named.items()}


def averages(trainer):
    """Of table and vector."""
    average = trainer.task.average
    names = {"words": "embeddings", "project": "kernel"}
    found = {}
    for weight, value in zip(average.weights, average.averages, strict=True):
        for name, last in names.items():
            if weight.path.endswith(f"{name}/{last}"):
                found[name] = np.array(value.numpy())
    return found


def story():
    """Three updates, the second of them broken, with everything on."""
    shown = []
    for tricks in ({"fgm": 0.5, "ema": 0.9}, {"pgd_steps": 3, "ema": 0.5}):
        trainer = build(**tricks)
        losses = [update(trainer, broken=number == 1) for number in range(3)]
        shown.append(
            {"losses": losses} | {name: v.tolist() for name, v in weights(trainer).items()}
        )
        shown[-1]["average"] = {name: v.tolist() for name, v in averages(trainer).items()}
        shown[-1]["skipped"] = int(trainer.task.total_notfinite.numpy())
    return shown


if __name__ == "__main__":
    print(json.dumps(story()))
