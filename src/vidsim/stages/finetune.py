"""Finetuning: every recipe on every fold of a task, from its best pretrained weights."""

from dataclasses import dataclass
from typing import Any

import keras

from vidsim import schema
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.locks import sole_process
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.input_shape import InputTensors
from vidsim.preprocess.pipeline import steps_per_epoch
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.pretrained.encoder_folder import EncoderFolders
from vidsim.recipes.recipe import Recipe, TaskConfig, without_tags
from vidsim.records.feature_origin import FeatureOrigin, origin_info
from vidsim.records.video_table import VideoTable
from vidsim.stages.compiled import compiled
from vidsim.stages.data_parallel import data_parallel
from vidsim.stages.initial_model import FoundData, check_fits, first_checkpoint
from vidsim.stages.training_records import FinetuneRecords, FoldSources
from vidsim.stages.training_run import TrainingRun, batches_from, train
from vidsim.tasks.data_files import open_tags
from vidsim.tasks.folds import FoldData, Folds
from vidsim.tasks.loaded_model import LoadedModel
from vidsim.tasks.registry import find_task
from vidsim.tasks.task import Task
from vidsim.training.checkpoint import Checkpoint
from vidsim.training.optimizer import build_optimizer
from vidsim.training.run_record import RunRecord, first_state, recorded_in
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.trainer import Trainer


def run(common: Common, recipes: list[Recipe]) -> None:
    """Finetunes every recipe on every fold that is not done yet.

    Nothing is written before the flags, data, start weights and folders of all runs were found to
    be right.

    Args:
        common: --task, folders, folds, seed.
        recipes: with the task's configuration as their `finetune`, and the command line's changes.

    Raises:
        VidsimError: folds or pretrained weights are missing, flags contradict each other, or a
            folder holds a run of another configuration.
    """
    common.check_fields()
    for recipe in recipes:
        recipe.check("finetune")
    task = find_task(common)
    sources, encoders = FoldSources(common, task), EncoderFolders(common.bert_dir)
    waiting = []
    for recipe in recipes:
        source = sources.open(recipe.finetune)
        encoder = encoders.choose(recipe.model.positions)
        runs = len(source.folds) * len(recipes)
        records = FinetuneRecords(common, recipe, source, encoder, runs)
        finetuning = Finetuning(common, recipe, source, records, task)
        todo = [fold for fold in source.folds if not finetuning.is_done(fold)]
        finetuning.once = len(todo) == 1
        if todo and records.missing:
            raise records.missing
        if todo:
            check_fits(recipe, records.encoder, source.widths())
        waiting += [(finetuning, todo)] * bool(todo)
    for finetuning, todo in waiting:
        for fold in todo:
            with sole_process(finetuning.records.folder(fold)):
                data = finetuning.source.load(fold)
                record = finetuning.records.of_fold(fold)
                if not record.is_done():  # another process may have made it in the meantime
                    finetuning.make(data, record)
        finetuning.close()
        keras.utils.clear_session(free_memory=True)


class Finetuning:
    """One recipe over several folds: built, traced and compiled for the first of them only.

    Args:
        common: folders and seed.
        recipe: what to finetune.
        source: the folds; all have the same number of steps.
        records: of the recipe's runs.
        task: what is finetuned for; default: that of `common`.

    Attributes:
        once: whether only one fold will be made, so that nothing is kept for a second one.

    Raises:
        VidsimError: a batch is larger than a fold.
    """

    def __init__(
        self,
        common: Common,
        recipe: Recipe,
        source: Folds,
        records: FinetuneRecords,
        task: Task | None = None,
    ):
        self.task = task or find_task(common)
        self.common, self.recipe, self.config = common, recipe, recipe.finetune
        self.source, self.records = source, records
        batch_size = self.config.batch_size
        self.steps = self.config.steps(
            steps_per_epoch(source.fewest, batch_size, f"training {self.task.unit} of a fold")
        )
        self.once = False
        self._built: _Built | None = None
        self._examples: dict[str, Examples] = {}

    def is_done(self, fold: int) -> bool:
        """Whether a fold's run is finished, which it says; of a new folder no data are read."""
        if recorded_in(self.records.folder(fold)) is None:
            return False
        record = self.records.of_fold(fold)
        if not record.is_done():
            return False
        StateKeeper(record.folder).clear()  # it may have been killed just before that
        print(f"{record.title}: done already: {record.folder}", flush=True)
        return True

    def make(self, data: FoldData, record: RunRecord) -> None:
        """Finetunes on one fold and writes the folder."""
        # ---- 1 Model and optimizer, built once, then back to the same first state --------------
        config = self.config
        with data_parallel(config):
            built = self._build()
        seed = (self.common.seed, data.fold)
        built.trainer.reset(seed)  # the same first weights for every fold, dropout masks of its own

        # ---- 2 Data ----------------------------------------------------------------------------
        task, model = self.task, built.model
        validation = task.evaluator(model, data, config)

        # ---- 3 Resume --------------------------------------------------------------------------
        states = StateKeeper(record.folder)
        state = first_state(record, states, built.first.tokenizer.digest)
        batches = batches_from(seed, config, self.steps, state.step)
        dataset = task.dataset(model, data, batches)
        print(
            f"{record.title}: {data.count} {task.unit}, {self.steps} steps of {config.batch_size}; "
            f"validation {data.validated()}"
        )

        # ---- 4 Fit and evaluate ----------------------------------------------------------------
        about, about_data = self._about(data.fold, record), self._about_data(data)
        place = (record.title, record.folder)
        run_ = TrainingRun(*place, self.steps, task.unit, config, about, about_data, state)
        train(run_, built.trainer, dataset, validation, (built.first.tokenizer, built.first.tags))

        # ---- 5 Write ---------------------------------------------------------------------------
        record.finish()
        states.clear()

    def close(self) -> None:
        """Lets go of the model and of the videos."""
        self._built, self._examples = None, {}

    def _about(self, fold: int, record: RunRecord) -> dict[str, Any]:
        """What every checkpoint says of its run: what folds of one recipe must share, too."""
        fields = {
            name: value
            for name, value in record.identity.fields.items()
            if name not in ("fold", "data")
        }
        task = {"name": self.task.name, "settings": self.source.settings}
        stage = {"recipe": self.recipe.name, "stage": "finetune", "fold": fold, "task": task}
        return {**stage, **origin_info(self.common.data_dir), "run": fields}

    def _about_data(self, data: FoldData) -> dict[str, Any]:
        """What a fold is trained and validated on, for metrics.json."""
        folder, seed = self.common.data_dir, self.common.seed
        return {"folder": folder, **data.about(), "seed": seed, "baseline": data.baseline()}

    def _build(self) -> "_Built":
        if self._built is not None:
            return self._built
        keras.config.set_dtype_policy(self.config.dtype_policy)
        keras.utils.set_random_seed(self.common.seed)
        start, encoder = self.records.start, self.records.encoder
        frozen = not self.config.optimizer.bert_lr
        texts = {} if start else self._texts()
        titles = [] if start or encoder else self.source.titles()
        tags = open_tags(self.common, self.config)
        origin = FeatureOrigin.read(self.common.data_dir)
        found = FoundData(titles, tags, self.source.widths(), texts, origin)
        first = first_checkpoint(self.recipe, start, encoder, found)
        backbone = first.backbone
        if frozen:
            backbone.freeze_encoder()
        head = self.task.head(backbone, self.source.settings)
        model = self.task.task_model(backbone, head, self._trained_on(tags))
        optimizer = build_optimizer(
            self.config.optimizer, backbone, self.steps, self.config.total_steps, compiled
        )
        trainer = Trainer(model, optimizer, not self.once, tricks=self.config.tricks)
        predicts = self.task.prediction_model(backbone, head)
        loaded = LoadedModel(predicts, self._videos, self.config.val_batch_size)
        self._built = _Built(first, trainer, loaded)
        return self._built

    def _texts(self) -> dict[str, list[str]]:
        """Without pretraining: the titles from which --text-assembly counts words."""
        config = self.recipe.model
        if config.text_assembly == "none":
            return {}
        others = [name for name, _ in config.texts if name != schema.TITLE]
        if others:
            raise VidsimError(
                f"--text-assembly {config.text_assembly} counts the words of {', '.join(others)} "
                "when it pretrains; without pretraining (--pretrain_model_dir none) it knows those "
                "of titles alone: pretrain first, or give --text-fields title"
            )
        return {schema.TITLE: self.source.titles()}

    def _trained_on(self, tags: TagVocabulary) -> TaskConfig:
        """The configuration, without losses on tags where there are none; says so."""
        if len(tags):
            return self.config
        config, dropped = without_tags(self.config)
        if dropped:
            name = self.common.run(self.recipe.name)
            print(f"finetune {name}: there are no tags, so no {' and no '.join(dropped)}")
        return config

    def _videos(self, table: VideoTable) -> Examples:
        """The table as the model's inputs, tokenized the first time it is asked for."""
        if table.digest not in self._examples:
            first = self._build().first
            tensors = InputTensors.of(first.backbone.spec.widths)
            examples = Examples(table, first.tokenizer, first.tags, self.recipe.model, tensors)
            print(f"finetune {self.common.run(self.recipe.name)}: {examples.cuts.text()}")
            # one table for thin folds; self-contained ones bring two each, and only those are kept
            recent = dict(list(self._examples.items())[:1])
            self._examples = {table.digest: examples, **recent}
        return self._examples[table.digest]


@dataclass(frozen=True)
class _Built:
    """What the folds of a recipe share."""

    first: Checkpoint
    trainer: Trainer
    model: LoadedModel
