"""Inference: what a task wants predicted - test and validation examples - once per checkpoint.

Whatever the number of recipes and folds, files are read once and titles tokenized once for each
tokenizer. Predictions go to disk in shards, with which a killed inference goes on.
"""

from itertools import groupby
from pathlib import Path

import keras

from vidsim.blending.member_writer import MemberWriter
from vidsim.config import Common
from vidsim.locks import sole_process
from vidsim.preprocess.example_store import ExampleStore
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.records.video_table import VideoTable
from vidsim.stages.prediction_records import PredictionRecord, PredictionRecords
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.loaded_model import LoadedModel
from vidsim.tasks.task import Task
from vidsim.training.checkpoint import (
    Checkpoint,
    load_with_head,
    model_shape,
    take_weights,
    verified_description,
)


def run(common: Common, config: InferenceConfig) -> None:
    """Writes ``<save>/inference/<run>/fold<k>.npz`` and ``fold<k>_val.npz`` where not done yet.

    Other videos than those of test_b go to ``<save>/inference/<run>/<name>/fold<k>.npz``; what a
    task other than similarity predicts, to ``<save>/<task>/inference/``.

    Raises:
        VidsimError: a model is not trained yet, files are missing or damaged, or predictions by
            another checkpoint or of other data are there.
    """
    # ---- 1 What is to do -----------------------------------------------------------------------
    records, waiting = PredictionRecords(common, config), []
    for record in records.all():
        if record.is_done():
            record.clear()  # it may have been killed just before that
            print(f"{record.title}: done already: {record.place}.npz", flush=True)
        else:
            waiting.append(record)

    # ---- 2 Predict, recipe by recipe -----------------------------------------------------------
    store = ExampleStore()
    for _, group in groupby(waiting, key=lambda record: record.place.parent):
        predictor = _Predictor(records.task, config.test_batch_size, store)
        for record in group:
            with sole_process(record.place):
                if not record.is_done():  # another process may have made it in the meantime
                    _predict(record, records.task, predictor)
        keras.utils.clear_session(free_memory=True)


class _Predictor:
    """The checkpoints of one recipe through one compiled model."""

    def __init__(self, task: Task, batch_size: int, store: ExampleStore):
        self._task, self._batch_size, self._store = task, batch_size, store
        self._model: LoadedModel | None = None
        self._told: set[str] = set()

    def load(self, folder: Path) -> LoadedModel:
        """Takes over a checkpoint's weights; builds the model first where the shape is new."""
        shape = model_shape(verified_description(folder))
        if self._model is None or shape != self._shape:
            self._checkpoint: Checkpoint = load_with_head(folder, self._task.head)
            self._shape = shape
            parts = self._checkpoint.backbone, self._checkpoint.head
            model = self._task.prediction_model(*parts)
            self._model = LoadedModel(model, self._examples, self._batch_size)
        else:
            take_weights(self._checkpoint, folder)
        return self._model

    def _examples(self, table: VideoTable) -> Examples:
        model = self._checkpoint
        config, tensors = model.backbone.config, InputTensors.of(model.backbone.spec.widths)
        examples = self._store.get(table, model.tokenizer, model.tags, config, tensors)
        cuts = examples.cuts
        if cuts and table.digest not in self._told:
            print(f"inference: {cuts.text()}, of {table}", flush=True)
            self._told.add(table.digest)
        return examples


def _predict(record: PredictionRecord, task: Task, predictor: _Predictor) -> None:
    model = predictor.load(record.checkpoint)
    record.begin()
    for job in record.jobs.values():
        arrays = job.arrays or task.arrays
        writer = MemberWriter(job.path, job.ids, record.parts, arrays, job.shard)
        for shard in writer.missing():
            writer.write(shard, task.predict(model, job, shard))
        writer.finish(task.columns(model))
    record.finish()
    counts = " and ".join(str(len(job.ids)) for job in record.jobs.values())
    print(
        f"{record.title}: {counts} {task.examples} by {record.checkpoint} -> {record.place}.npz",
        flush=True,
    )
