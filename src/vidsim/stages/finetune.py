"""Finetuning: every recipe on every fold's rated pairs, from its best pretrained weights."""

from dataclasses import dataclass
from typing import Any

import keras

from vidsim.config import Common
from vidsim.locks import sole_process
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.pair_scorer import PairScorer
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.pipeline import pair_dataset, steps_per_epoch
from vidsim.pretrained.encoder_folder import EncoderFolders
from vidsim.provenance import is_made_up
from vidsim.recipes.recipe import Recipe, objectives
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.schema import COSINE
from vidsim.stages.compiled import compiled
from vidsim.stages.data_parallel import data_parallel
from vidsim.stages.initial_model import first_checkpoint
from vidsim.stages.inputs import open_tags, pair_rows
from vidsim.stages.pair_source import FoldPairs, PairSource
from vidsim.stages.pair_validation import PairValidation
from vidsim.stages.run_record import RunRecord, first_state, recorded_in
from vidsim.stages.training_records import FinetuneRecords, PairSources
from vidsim.stages.training_run import TrainingRun, batches_from, train
from vidsim.training.checkpoint import Checkpoint
from vidsim.training.optimizer import build_optimizer
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.trainer import Trainer


def run(common: Common, recipes: list[Recipe]) -> None:
    """Finetunes every recipe on every fold that is not done yet.

    Nothing is written before the flags, data, start weights and folders of all runs were found to
    be right.

    Args:
        common: folders, folds, seed.
        recipes: with the command line's changes applied.

    Raises:
        VidsimError: folds or pretrained weights are missing, flags contradict each other, or a
            folder holds a run of another configuration.
    """
    common.check_fields()
    for recipe in recipes:
        recipe.check("finetune")
    sources, encoders = PairSources(common), EncoderFolders(common.bert_dir)
    waiting = []
    for recipe in recipes:
        source = sources.open(recipe.finetune)
        encoder = encoders.choose(recipe.model.positions)
        runs = len(source.folds) * len(recipes)
        records = FinetuneRecords(common, recipe, source, encoder, runs)
        finetuning = Finetuning(common, recipe, source, records)
        todo = [fold for fold in source.folds if not finetuning.is_done(fold)]
        finetuning.once = len(todo) == 1
        if todo and records.missing:
            raise records.missing
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

    Attributes:
        once: whether only one fold will be made, so that nothing is kept for a second one.

    Raises:
        VidsimError: a batch is larger than a fold.
    """

    def __init__(
        self, common: Common, recipe: Recipe, source: PairSource, records: FinetuneRecords
    ):
        self.common, self.recipe, self.config = common, recipe, recipe.finetune
        self.source, self.records = source, records
        batch_size = self.config.batch_size
        self.steps = self.config.steps(
            steps_per_epoch(source.fewest, batch_size, "training pairs of a fold")
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

    def make(self, data: FoldPairs, record: RunRecord) -> None:
        """Finetunes on one fold and writes the folder."""
        # ---- 1 Model and optimizer, built once, then back to the same first state --------------
        config = self.config
        with data_parallel(config):
            built = self._build()
        seed = (self.common.seed, data.fold)
        built.trainer.reset(seed)  # the same first weights for every fold, dropout masks of its own

        # ---- 2 Data ----------------------------------------------------------------------------
        videos = self._videos(data.train_videos)
        rows, sim = pair_rows(data.train_videos, data.train), data.train.sim
        validation = PairValidation(
            built.embedding, self._videos(data.val_videos), data.val, config
        )

        # ---- 3 Resume --------------------------------------------------------------------------
        states = StateKeeper(record.folder)
        state = first_state(record, states, built.first.tokenizer.digest)
        batches = batches_from(seed, config, self.steps, state.step)
        dataset = pair_dataset(videos, rows, sim, batches)
        print(
            f"{record.title}: {len(sim)} pairs, {self.steps} steps of {config.batch_size}; "
            f"validation {len(data.val)} pairs, {data.seen()}"
        )

        # ---- 4 Fit and evaluate ----------------------------------------------------------------
        about, about_data = self._about(data.fold, record), self._about_data(data)
        run_ = TrainingRun(
            record.title, record.folder, self.steps, "pairs", config, about, about_data, state
        )
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
        return {"recipe": self.recipe.name, "stage": "finetune", "fold": fold, "run": fields}

    def _about_data(self, data: FoldPairs) -> dict[str, Any]:
        """What a fold is trained and validated on, for metrics.json."""
        pairs = Pairs.concat([data.train, data.val])
        return {
            "folder": self.common.data_dir,
            "made_up_sample": is_made_up(pairs.videos().tolist()),
            "pairs": len(data.train),
            "validation_pairs": len(data.val),
            "seed": self.common.seed,
        }

    def _build(self) -> "_Built":
        if self._built is not None:
            return self._built
        keras.config.set_dtype_policy(self.config.dtype_policy)
        keras.utils.set_random_seed(self.common.seed)
        start, encoder = self.records.start, self.records.encoder
        titles = [] if start or encoder else self.source.titles()
        tags = open_tags(self.common, self.config)
        first = first_checkpoint(self.recipe, start, encoder, titles, tags)
        backbone = first.backbone
        outputs = (*backbone.output_keys, COSINE)
        task = PairScorer(backbone, build_objectives(objectives(self.config), backbone, outputs))
        optimizer = build_optimizer(
            self.config.optimizer, backbone, self.steps, self.config.total_steps, compiled
        )
        trainer = Trainer(task, optimizer, restartable=not self.once)
        self._built = _Built(first, trainer, EmbeddingModel(backbone))
        return self._built

    def _videos(self, table: VideoTable) -> Examples:
        """The table as the model's inputs, tokenized the first time it is asked for."""
        if table.digest not in self._examples:
            first = self._build().first
            examples = Examples(table, first.tokenizer, first.tags, self.recipe.model)
            print(f"finetune {self.common.run(self.recipe.name)}: {examples.cut_titles.text()}")
            # one table for thin folds; self-contained ones bring two each, and only those are kept
            recent = dict(list(self._examples.items())[:1])
            self._examples = {table.digest: examples, **recent}
        return self._examples[table.digest]


@dataclass(frozen=True)
class _Built:
    """What the folds of a recipe share."""

    first: Checkpoint
    trainer: Trainer
    embedding: EmbeddingModel
