"""A task from outside the package: a video's number of frames, predicted from its embedding."""

import json
from dataclasses import dataclass, field
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from vidsim import schema
from vidsim.blending.members import validation_path
from vidsim.config_fields import Config, Weight
from vidsim.files import write_json
from vidsim.models.task_model import TaskModel
from vidsim.objectives.configs import ObjectiveConfig
from vidsim.objectives.objective import Objective, build_objectives, rows
from vidsim.preprocess.pipeline import embedding_dataset
from vidsim.recipes import registry
from vidsim.recipes.recipe import TaskConfig, objectives
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.data_files import PAIRWISE, open_videos, stream_widths
from vidsim.tasks.folds import MANIFEST, fold_dir, folds_dir
from vidsim.tasks.job import Job
from vidsim.tasks.task import Task

NUMBER, LENGTH = "number", "length"


@dataclass(frozen=True)
class NumberConfig(ObjectiveConfig):
    number_weight: Weight = 1.0
    """Weight of the squared error."""

    @property
    def weight(self):
        return self.number_weight

    def build(self, backbone):
        return SquaredError(self.number_weight, name="number")


@dataclass(frozen=True)
class ToyConfig(TaskConfig):
    number: NumberConfig = field(default_factory=NumberConfig)


@dataclass(frozen=True)
class ToyEnsembleConfig(Config):
    round_to: Weight = 0.0
    """Predictions are rounded to multiples of it; 0: not."""


class SquaredError(Objective):
    needs = (NUMBER,)

    def call(self, outputs, inputs):
        return ops.mean(ops.square(outputs[NUMBER] - inputs[LENGTH]))

    def count(self, outputs, inputs):
        return rows(outputs[NUMBER])


class NumberModel(TaskModel):
    def call(self, inputs, training=None):
        outputs = self.backbone(inputs, training=training)
        return outputs | {NUMBER: self.head(outputs[schema.EMBEDDING])[:, 0]}


class Predictor(keras.Model):
    def __init__(self, backbone, head):
        super().__init__()
        self.backbone, self.head, self.built = backbone, head, True

    def call(self, inputs):
        return self.head(self.backbone(inputs, training=False)[schema.EMBEDDING])[:, 0]


class Error:
    primary_metric, greater_is_better = "squared_error", False

    def __init__(self, predict, wanted):
        self.predict, self.wanted = predict, wanted

    def __call__(self):
        return {"squared_error": float(np.square(self.predict() - self.wanted).mean())}


@dataclass(frozen=True)
class Part:
    fold: int
    table: object
    train: np.ndarray
    val: np.ndarray

    @property
    def count(self):
        return len(self.train)

    def validated(self):
        return f"{len(self.val)} videos"

    def about(self):
        return {"videos": len(self.train)}

    def baseline(self):
        return {"squared_error": float(np.var(self.table.n_frames[self.val] / 8))}


class ToyFolds:
    settings: ClassVar = {"units": 1}

    def __init__(self, common):
        self.manifest = json.loads((folds_dir(common, "toy") / MANIFEST).read_text())
        self.folds = [0, 1] if common.folds == "all" else [int(common.folds)]
        self.table = open_videos(common, None, PAIRWISE)
        self.common, self.name = common, None
        self.fewest = min(len(self.load(fold).train) for fold in (0, 1))

    def load(self, fold):
        ids = json.loads((fold_dir(self.common, "toy", fold) / "val.json").read_text())
        val = self.table.rows_of(ids)
        return Part(fold, self.table, np.setdiff1d(np.arange(len(self.table)), val), val)

    def hashes(self, fold):
        return {"videos": self.table.digest, "val": len(self.load(fold).val)}

    def widths(self):
        return stream_widths([self.table])

    def titles(self):
        return self.table.titles

    def jobs(self, run, fold):
        path = validation_path(self.common.task_dir, run, fold)
        return {"validation": Job(path, self.table, self.load(fold).val)}


class Toy(Task):
    name, unit, product, arrays = "toy", "videos", "numbers", (NUMBER, "twice")

    def default_config(self, recipe):
        return ToyConfig(batch_size=16, total_steps=500)

    def ensemble_config(self):
        return ToyEnsembleConfig()

    def write_folds(self, common, config):
        ids = open_videos(common, None, PAIRWISE).ids
        for fold in (0, 1):
            chosen = np.random.default_rng([common.fold_seed, fold]).permutation(len(ids))[:40]
            val = [video.decode() for video in ids[np.sort(chosen)].tolist()]
            write_json(fold_dir(common, "toy", fold) / "val.json", val)
        write_json(folds_dir(common, "toy") / MANIFEST, {"folds": 2})

    def fold_differences(self, common, config):
        return [] if (folds_dir(common, "toy") / MANIFEST).exists() else None

    def open_folds(self, common, config):
        return ToyFolds(common)

    def head(self, backbone, settings):
        head = keras.layers.Dense(settings["units"], dtype="float32", name="number_head")
        head.build((None, backbone.config.hidden_size))
        return head

    def task_model(self, backbone, head, config):
        available = (*backbone.output_keys, NUMBER)
        losses = build_objectives(objectives(config), backbone, available)
        return NumberModel(backbone, losses, head)

    def dataset(self, model, data, batches):
        rng = np.random.default_rng(batches.seed)
        rows = np.concatenate([rng.permutation(data.train) for _ in range(batches.steps)])
        rows = rows[batches.first * batches.size : batches.steps * batches.size]
        lengths = np.asarray(data.table.n_frames[rows] / 8, "float32")
        numbers = iter(lengths.reshape(-1, batches.size))
        wanted = np.stack(list(numbers))
        dataset = embedding_dataset(model.examples(data.table), rows, batches.size)
        return dataset.enumerate().map(
            lambda at, inputs: inputs | {LENGTH: ops.take(wanted, at, 0)}
        )

    def evaluator(self, model, data, config):
        wanted = data.table.n_frames[data.val] / 8
        return Error(lambda: self._numbers(model, data.table, data.val), wanted)

    def prediction_model(self, backbone, head):
        return Predictor(backbone, head)

    def open_predictions(self, common, config: InferenceConfig):
        return ToyFolds(common)

    def predict(self, model, job, part):
        found = self._numbers(model, job.table, job.rows[part])
        return {NUMBER: found, "twice": np.stack([found, found], 1)}

    def check_ensemble(self, common):
        pass

    def ensemble(self, common, config):
        result = {}
        for name in registry.names(common.recipes):
            for fold in ToyFolds(common).folds:
                with np.load(validation_path(common.task_dir, common.run(name), fold)) as found:
                    assert (found["twice"][:, 1] == found[NUMBER]).all()
                    for video, number in zip(found["id"].tolist(), found[NUMBER], strict=True):
                        result.setdefault(video, []).append(float(number))
        means = {video: float(np.mean(values)) for video, values in result.items()}
        write_json(common.task_dir / common.run("ensemble") / "numbers.json", means)

    @staticmethod
    def _numbers(model, table, rows):
        dataset = embedding_dataset(model.examples(table), rows, model.batch_size)
        return np.asarray(model.model.predict(dataset, verbose=0))
