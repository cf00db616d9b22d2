"""Pretraining: every recipe's backbone on single videos, validated by what the data have."""

from typing import Any

import keras

from vidsim.config import Common
from vidsim.locks import sole_process
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.preprocess.pipeline import pretraining_dataset, steps_per_epoch
from vidsim.pretrained.encoder_folder import EncoderFolders
from vidsim.recipes.recipe import Recipe, objectives, without_tags
from vidsim.records.feature_origin import origin_info
from vidsim.stages.compiled import compiled
from vidsim.stages.data_parallel import data_parallel
from vidsim.stages.initial_model import FoundData, check_fits, fresh_model, load_encoder
from vidsim.stages.training_records import (
    PretrainFiles,
    finished_pretraining,
    pretrain_record,
)
from vidsim.stages.training_run import TrainingRun, batches_from, train
from vidsim.tasks.data_files import frame_widths
from vidsim.tasks.loaded_model import LoadedModel
from vidsim.training.checkpoint import Checkpoint
from vidsim.training.optimizer import build_optimizer
from vidsim.training.run_record import first_state
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.trainer import Trainer
from vidsim.training.training_state import TrainingState


def run(common: Common, recipes: list[Recipe]) -> None:
    """Pretrains every recipe that is not done yet.

    Nothing is written before the flags, data and folders of all recipes were found to be right.

    Args:
        common: folders, seed, encoder folder.
        recipes: with the command line's changes applied.

    Raises:
        VidsimError: input files are missing or damaged, flags contradict each other, or a folder
            holds a run of another configuration.
    """
    common.check_fields()
    for recipe in recipes:
        recipe.check("pretrain")
    files, encoders = PretrainFiles(common), EncoderFolders(common.bert_dir)
    runs = [Pretraining(common, recipe, files, encoders, len(recipes)) for recipe in recipes]
    waiting = [run_ for run_ in runs if not run_.is_done()]
    for run_ in waiting:
        check_fits(run_.recipe, run_.encoder, run_.widths)
    for run_ in waiting:
        with sole_process(run_.record.folder):
            if not run_.record.is_done():  # another process may have made it in the meantime
                run_.make()
        keras.utils.clear_session(free_memory=True)


class Pretraining:
    """One recipe's pretraining.

    Args:
        common: folders and seed.
        recipe: what to pretrain.
        files: opens the data.
        encoders: of --bert-dir.
        runs: how many runs the command makes.

    Raises:
        VidsimError: as `run`.
    """

    def __init__(
        self,
        common: Common,
        recipe: Recipe,
        files: PretrainFiles,
        encoders: EncoderFolders,
        runs: int = 1,
    ):
        self.common, self.recipe, self.config = common, recipe, recipe.pretrain
        self.encoder = encoders.choose(recipe.model.positions)
        self.data = files.open(self.config)
        self.videos = self.data.training()
        self.widths = frame_widths([self.videos])
        count = len(self.videos)
        self.steps = self.config.steps(steps_per_epoch(count, self.config.batch_size, "videos"))
        self.runs = runs
        self.record = pretrain_record(common, recipe, self.data, self.encoder, runs)

    def is_done(self) -> bool:
        """Whether this very run is finished, here or under no name; says so."""
        common, folder = self.common, self.record.folder
        done = finished_pretraining(common, self.recipe, self.data, self.encoder, self.runs)
        if done is None:
            return False
        if done == folder:
            StateKeeper(folder).clear()  # it may have been killed just before that
        print(f"{self.record.title}: done already: {done}", flush=True)
        return True

    def make(self) -> None:
        """Makes the model, trains it and writes the folder."""
        # ---- 1 Model and optimizer -------------------------------------------------------------
        config, data = self.config, self.data
        keras.config.set_dtype_policy(config.dtype_policy)
        keras.utils.set_random_seed(self.common.seed)
        with data_parallel(config):
            first, trainer = self._start()
        backbone, parts = first.backbone, (first.tokenizer, data.tags)

        # ---- 2 Data ----------------------------------------------------------------------------
        shown = (self.recipe.model, InputTensors.of(backbone.spec.widths))
        examples = Examples(self.videos, *parts, *shown)
        model = LoadedModel(
            EmbeddingModel(backbone),
            lambda table: Examples(table, *parts, *shown),
            config.val_batch_size,
        )
        validation = data.validation.evaluator(trainer.task, model, config)

        # ---- 3 Resume --------------------------------------------------------------------------
        states = StateKeeper(self.record.folder)
        state = first_state(self.record, states, first.tokenizer.digest)
        batches = batches_from(self.common.seed, config, self.steps, state.step)
        dataset = pretraining_dataset(examples, batches, config.corruption)
        self._say(first, examples)

        # ---- 4 Fit and evaluate ----------------------------------------------------------------
        train(self._training_run(state), trainer, dataset, validation, parts)

        # ---- 5 Write ---------------------------------------------------------------------------
        self.record.finish()
        states.clear()

    def _say(self, first: Checkpoint, examples: Examples) -> None:
        title = self.record.title
        print(
            f"{title}: {len(self.videos)} videos, {len(self.data.tags)} tags, "
            f"{len(first.tokenizer)} wordpieces, {first.backbone.count_params():,} weights, "
            f"{self.steps} steps of {self.config.batch_size}"
        )
        print(f"{title}: {examples.cuts.text()}")
        if self.data.validation.note:
            print(f"{title}: {self.data.validation.note}")

    def _training_run(self, state: TrainingState) -> TrainingRun:
        about = {"recipe": self.recipe.name, "stage": "pretrain"}
        about, data = about | origin_info(self.common.data_dir), self._about_data()
        place = (self.record.title, self.record.folder)
        return TrainingRun(*place, self.steps, "videos", self.config, about, data, state)

    def _about_data(self) -> dict[str, Any]:
        """What it is trained and validated on, for metrics.json."""
        return {
            "folder": self.common.data_dir,
            "videos": len(self.videos),
            **self.data.validation.about(),
            "seed": self.common.seed,
        }

    def _start(self) -> tuple[Checkpoint, Trainer]:
        """The model before its first update, and what trains it."""
        fields = {name: self.videos.text(name) for name, _ in self.recipe.model.texts}
        texts = [text for field in fields.values() for text in field]
        texts += self.data.validation.titles()
        found = FoundData(texts, self.data.tags, self.widths, fields)
        first = fresh_model(self.recipe, self.encoder, found)
        backbone, config = first.backbone, self.config
        if not len(self.data.tags):
            config, dropped = without_tags(config)
            print(f"{self.record.title}: there are no tags, so no {' and no '.join(dropped)}")
        losses = build_objectives(objectives(config), backbone, backbone.output_keys)
        load_encoder(self.encoder, backbone, losses)
        optimizer = build_optimizer(
            config.optimizer, backbone, self.steps, config.total_steps, compiled
        )
        task = config.task_model(backbone, losses)
        return first, Trainer(task, optimizer, restartable=False, tricks=config.tricks)
