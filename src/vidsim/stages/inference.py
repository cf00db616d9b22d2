"""Inference: the test videos, and each fold's validation videos, embedded once per checkpoint.

Whatever the number of recipes and folds, files are read once and titles tokenized once for each
tokenizer. Embeddings go to disk in shards, with which a killed inference goes on.
"""

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vidsim.blending.member_writer import MemberWriter
from vidsim.blending.members import member_path, validation_path
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.locks import sole_process
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.preprocess.example_store import ExampleStore
from vidsim.recipes import registry
from vidsim.recipes.recipe import FinetuneConfig
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.stages.configs import InferenceConfig
from vidsim.stages.inputs import embed_videos, open_videos
from vidsim.stages.pair_source import PairSource
from vidsim.stages.step_record import StepRecord, is_finished
from vidsim.training.checkpoint import (
    CONFIG,
    Checkpoint,
    load_checkpoint,
    load_weights,
    read_description,
)
from vidsim.training.checkpoint_keeper import best_checkpoint

TEST = "test_b/test_b.tfrecords"


def run(common: Common, config: InferenceConfig) -> None:
    """Writes ``<save>/inference/<recipe>/fold<k>.npz`` and ``fold<k>_val.npz`` where not done yet.

    Raises:
        VidsimError: a model is not trained yet, or files are missing or damaged.
    """
    # ---- 1 Data --------------------------------------------------------------------------------
    common.check_fields()
    config.check_fields()
    names = registry.names(common.recipes)
    registry.load_files(common.recipes)  # they may define the families of the checkpoints
    source = PairSource(common, FinetuneConfig())
    if config.ckpt_file is not None and len(names) * len(source.folds) > 1:
        raise VidsimError("--ckpt-file is one checkpoint: name one of --recipes and one of --folds")
    videos = open_videos(common, config.test_b_file, TEST)
    validated = {fold: _validated(*source.validation(fold)) for fold in source.folds}

    # ---- 2 Embed -------------------------------------------------------------------------------
    store = ExampleStore()
    for name in names:
        embedder = _Embedder(config.test_batch_size, store)
        for fold in source.folds:
            run_dir = common.save_dir / "finetune" / name / f"fold{fold}"
            checkpoint = config.ckpt_file or best_of_finished(run_dir)
            jobs = {
                member_path(common.save_dir, name, fold): (videos, np.arange(len(videos))),
                validation_path(common.save_dir, name, fold): validated[fold],
            }
            with sole_process(member_path(common.save_dir, name, fold).with_suffix("")):
                _embed_fold(f"inference {name} fold {fold}", checkpoint, jobs, embedder)
        keras.utils.clear_session(free_memory=True)


def best_of_finished(run_dir: Path) -> Path:
    """The best checkpoint of a run that will not find a better one."""
    checkpoint = best_checkpoint(run_dir)
    if not is_finished(run_dir):
        raise VidsimError(
            f"{run_dir}: this finetuning was interrupted or goes on; let it finish by the same "
            f"command, or name {checkpoint}, its best so far, by --ckpt-file"
        )
    return checkpoint


Job = tuple[VideoTable, np.ndarray]  # videos, and the rows of those to embed


def _validated(pairs: Pairs, videos: VideoTable) -> Job:
    return videos, videos.rows_of(np.union1d(pairs.id_1, pairs.id_2))


class _Embedder:
    """The checkpoints of one recipe through one compiled model."""

    def __init__(self, batch_size: int, store: ExampleStore):
        self._batch_size, self._store = batch_size, store
        self._model: EmbeddingModel | None = None

    def load(self, folder: Path) -> None:
        """Takes over a checkpoint's weights; builds the model first where the shape is new."""
        description = read_description(folder)
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
        return embed_videos(self._model, examples, rows, self._batch_size)


def _shape(description: dict[str, Any]) -> list[Any]:
    """What two checkpoints must share to be served by one model."""
    files = ("tokenizer.json", "tokenizer_config.json", "tag_list.txt")
    hashes = [description["sha256"][name] for name in files]
    return [description["family"], description["model"], description["encoder"], *hashes]


def _embed_fold(title: str, checkpoint: Path, jobs: dict[Path, Job], embedder: _Embedder) -> None:
    digests = [[table.digest, len(rows)] for table, rows in jobs.values()]
    parts = next(iter(jobs)).with_suffix(".parts")
    record = StepRecord(
        title,
        next(iter(jobs)).with_suffix(".json"),
        list(jobs),
        {"checkpoint": file_digest(checkpoint / CONFIG), "data": digests},
        parts / "config.json",
    )
    if not record.is_done():
        if record.is_begun():
            print(f"{title}: goes on where it was interrupted", flush=True)
        else:
            record.discard()
            shutil.rmtree(parts, ignore_errors=True)
            record.begin()
        embedder.load(checkpoint)
        for path, (table, rows) in jobs.items():
            writer = MemberWriter(path, table.ids[rows], parts)
            for shard in writer.missing():
                writer.write(shard, embedder.embed(table, rows[shard]))
            writer.finish()
        record.finish()
        counts = " and ".join(str(len(rows)) for _, rows in jobs.values())
        print(f"{title}: {counts} videos by {checkpoint} -> {next(iter(jobs))}", flush=True)
    shutil.rmtree(parts, ignore_errors=True)
