"""Inference: the test videos, and each fold's validation videos, embedded once per checkpoint.

Whatever the number of recipes and folds, files are read once and titles tokenized once for each
tokenizer. Embeddings go to disk in shards, with which a killed inference goes on.
"""

from itertools import groupby
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vidsim.blending.member_writer import MemberWriter
from vidsim.config import Common
from vidsim.locks import sole_process
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.preprocess.example_store import ExampleStore
from vidsim.records.video_table import VideoTable
from vidsim.stages.configs import InferenceConfig
from vidsim.stages.embedding_records import EmbeddingRecord, EmbeddingSource
from vidsim.stages.pair_validation import embed_videos
from vidsim.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_weights,
    verified_description,
)


def run(common: Common, config: InferenceConfig) -> None:
    """Writes ``<save>/inference/<run>/fold<k>.npz`` and ``fold<k>_val.npz`` where not done yet.

    Other videos than those of test_b go to ``<save>/inference/<run>/<name>/fold<k>.npz``.

    Raises:
        VidsimError: a model is not trained yet, files are missing or damaged, or embeddings by
            another checkpoint or of other videos are there.
    """
    # ---- 1 What is to do -----------------------------------------------------------------------
    waiting = []
    for record in EmbeddingSource(common, config).records():
        if record.is_done():
            record.clear()  # it may have been killed just before that
            print(f"{record.title}: done already: {record.place}.npz", flush=True)
        else:
            waiting.append(record)

    # ---- 2 Embed, recipe by recipe -------------------------------------------------------------
    store = ExampleStore()
    for _, records in groupby(waiting, key=lambda record: record.place.parent):
        embedder = _Embedder(config.test_batch_size, store)
        for record in records:
            with sole_process(record.place):
                if not record.is_done():  # another process may have made it in the meantime
                    _embed(record, embedder)
        keras.utils.clear_session(free_memory=True)


class _Embedder:
    """The checkpoints of one recipe through one compiled model."""

    def __init__(self, batch_size: int, store: ExampleStore):
        self._batch_size, self._store = batch_size, store
        self._model: EmbeddingModel | None = None
        self._told: set[str] = set()

    def load(self, folder: Path) -> None:
        """Takes over a checkpoint's weights; builds the model first where the shape is new."""
        description = verified_description(folder)
        shape = _shape(description)
        if self._model is None or shape != self._shape:
            self._checkpoint: Checkpoint = load_checkpoint(folder)
            self._model, self._shape = EmbeddingModel(self._checkpoint.backbone), shape
        else:
            load_weights(self._checkpoint.backbone, folder)

    def embed(self, table: VideoTable, rows: np.ndarray) -> np.ndarray:
        """(N, 256) embeddings of the rows."""
        assert self._model is not None
        model = self._checkpoint
        examples = self._store.get(table, model.tokenizer, model.tags, model.backbone.config)
        cuts = examples.cuts
        if cuts and table.digest not in self._told:
            print(f"inference: {cuts.text()}, of {table}", flush=True)
            self._told.add(table.digest)
        return embed_videos(self._model, examples, rows, self._batch_size)


def _shape(description: dict[str, Any]) -> list[Any]:
    """What two checkpoints must share to be served by one model."""
    files = ("tokenizer.json", "tokenizer_config.json", "tag_list.txt")
    hashes = [description["sha256"].get(name) for name in files]
    return [description["family"], description["model"], description["encoder"], *hashes]


def _embed(record: EmbeddingRecord, embedder: _Embedder) -> None:
    embedder.load(record.checkpoint)
    record.begin()
    for job in record.jobs.values():
        writer = MemberWriter(job.path, job.table.ids[job.rows], record.parts)
        for shard in writer.missing():
            writer.write(shard, embedder.embed(job.table, job.rows[shard]))
        writer.finish()
    record.finish()
    counts = " and ".join(str(len(job.rows)) for job in record.jobs.values())
    print(
        f"{record.title}: {counts} videos by {record.checkpoint} -> {record.place}.npz", flush=True
    )
