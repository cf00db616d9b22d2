"""Finetuning: every recipe on every fold's rated pairs, from its best pretrained weights."""

import dataclasses
from pathlib import Path
from typing import Any

import keras

from vidsim.config import Common
from vidsim.files import file_digest
from vidsim.locks import sole_process
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.pair_scorer import PairScorer
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.pipeline import pair_dataset, steps_per_epoch
from vidsim.recipes.recipe import Recipe, objectives
from vidsim.records.video_table import VideoTable
from vidsim.schema import COSINE
from vidsim.stages.compiled import compiled
from vidsim.stages.data_parallel import data_parallel
from vidsim.stages.initial_model import (
    encoder_digest,
    first_checkpoint,
    pretrained_checkpoint,
)
from vidsim.stages.inputs import PairValidation, open_tags, pair_rows, run_folder
from vidsim.stages.pair_source import FoldPairs, PairSource
from vidsim.stages.resume import resume
from vidsim.stages.step_record import StepRecord
from vidsim.stages.training_run import TrainingRun, batches_from, train
from vidsim.training.checkpoint import CONFIG
from vidsim.training.optimizer import build_optimizer
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.trainer import Trainer


def run(common: Common, recipes: list[Recipe]) -> None:
    """Finetunes every recipe on every fold that is not done yet.

    Args:
        common: folders, folds, seed.
        recipes: with the command line's changes applied.

    Raises:
        VidsimError: folds or pretrained weights are missing, or flags contradict each other.
    """
    common.check_fields()
    for recipe in recipes:
        recipe.check("finetune")
    for recipe in recipes:
        source = PairSource(common, recipe.finetune)
        finetuning = Finetuning(common, recipe, source)
        for fold in source.folds:
            folder = run_folder(
                common,
                recipe.finetune,
                f"finetune/{recipe.name}/fold{fold}",
                len(source.folds) * len(recipes),
            )
            with sole_process(folder):
                finetuning.run_fold(source.load(fold), folder)
        keras.utils.clear_session(free_memory=True)


class Finetuning:
    """One recipe over several folds: built, traced and compiled for the first of them only.

    Args:
        common: folders and seed.
        recipe: what to finetune.
        source: the folds, for the number of steps, which is the same for all.
    """

    def __init__(self, common: Common, recipe: Recipe, source: PairSource):
        self.common, self.recipe, self.config = common, recipe, recipe.finetune
        batch_size = self.config.batch_size
        self.steps = self.config.steps(
            steps_per_epoch(source.fewest, batch_size, "training pairs of a fold")
        )
        self.pretrained = pretrained_checkpoint(common, recipe)
        self.trainer: Trainer | None = None
        self._examples: dict[str, Examples] = {}

    def run_fold(self, data: FoldPairs, folder: Path) -> None:
        """Finetunes on one fold unless that is done already."""
        # ---- 1 Config --------------------------------------------------------------------------
        title, config = f"finetune {self.recipe.name} fold {data.fold}", self.config
        record = StepRecord.of_folder(title, folder, self._configuration(data))
        states = StateKeeper(folder)
        state = resume(record, states)
        if state is None:
            return

        # ---- 2 Model and optimizer, built once, then back to the same first state --------------
        with data_parallel(config):
            trainer = self._trainer(data)
        trainer.reset()

        # ---- 3 Data ----------------------------------------------------------------------------
        videos = self._videos(data.train_videos)
        rows, sim = pair_rows(data.train_videos, data.train), data.train.sim
        batches = batches_from(self.common.seed + data.fold, config, self.steps, state.step)
        dataset = pair_dataset(videos, rows, sim, batches)
        validation = PairValidation(
            self.embedding, self._videos(data.val_videos), data.val, config.val_batch_size
        )
        print(
            f"{title}: {len(sim)} pairs, {self.steps} steps of {config.batch_size}; "
            f"validation {len(data.val)} pairs, {data.seen()}"
        )

        # ---- 4 Fit and evaluate ----------------------------------------------------------------
        about = {"recipe": self.recipe.name, "stage": "finetune", "fold": data.fold}
        run_ = TrainingRun(title, folder, self.steps, "pairs", config, about, state)
        parts = (self.first.tokenizer, self.first.tags)
        train(run_, trainer, dataset, validation, parts)

        # ---- 5 Write ---------------------------------------------------------------------------
        record.finish()
        states.clear()

    def _configuration(self, data: FoldPairs) -> dict[str, Any]:
        start = self.pretrained
        return {
            "recipe": self.recipe.name,
            "fold": data.fold,
            "model": dataclasses.asdict(self.recipe.model),
            "finetune": self.config.identity(),
            "seed": self.common.seed,
            "pretrained": file_digest(start / CONFIG) if start else "none",
            "encoder": None if start else encoder_digest(self.common, self.recipe),
            "data": [*data.digest, open_tags(self.common, self.config).digest],
        }

    def _trainer(self, data: FoldPairs) -> Trainer:
        if self.trainer is not None:
            return self.trainer
        keras.config.set_dtype_policy(self.config.dtype_policy)
        keras.utils.set_random_seed(self.common.seed)
        tags = open_tags(self.common, self.config)
        titles = [*data.train_videos.titles, *data.val_videos.titles]
        self.first = first_checkpoint(self.common, self.recipe, self.pretrained, titles, tags)
        backbone = self.first.backbone
        outputs = (*backbone.output_keys, COSINE)
        task = PairScorer(backbone, build_objectives(objectives(self.config), backbone, outputs))
        optimizer = build_optimizer(
            self.config.optimizer, self.steps, self.config.total_steps, compiled
        )
        self.trainer, self.embedding = Trainer(task, optimizer), EmbeddingModel(backbone)
        return self.trainer

    def _videos(self, table: VideoTable) -> Examples:
        """The table as the model's inputs, tokenized the first time it is asked for."""
        if table.digest not in self._examples:
            first = self.first
            examples = Examples(table, first.tokenizer, first.tags, self.recipe.model)
            # one table for thin folds; self-contained ones bring two each, and only those are kept
            recent = dict(list(self._examples.items())[:1])
            self._examples = {table.digest: examples, **recent}
        return self._examples[table.digest]
