"""Pretraining: every recipe's backbone on single videos, validated by Spearman on rated pairs."""

import dataclasses
from pathlib import Path
from typing import Any

import keras

from vidsim.config import Common
from vidsim.files import file_digest
from vidsim.locks import sole_process
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.task import Task
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.pipeline import pretraining_dataset, steps_per_epoch
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.recipes.recipe import PretrainConfig, Recipe, objectives
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.stages.compiled import compiled
from vidsim.stages.data_files import complete, open_ratings
from vidsim.stages.data_parallel import data_parallel
from vidsim.stages.initial_model import encoder_digest, fresh_model, load_encoder
from vidsim.stages.inputs import (
    PAIRWISE,
    POINTWISE,
    PairValidation,
    open_tags,
    open_videos,
    run_folder,
)
from vidsim.stages.resume import resume
from vidsim.stages.step_record import StepRecord
from vidsim.stages.training_run import TrainingRun, batches_from, train
from vidsim.training.checkpoint import Checkpoint
from vidsim.training.optimizer import build_optimizer
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.trainer import Trainer


def run(common: Common, recipes: list[Recipe]) -> None:
    """Pretrains every recipe that is not done yet.

    Args:
        common: folders, seed, encoder folder.
        recipes: with the command line's changes applied.

    Raises:
        VidsimError: input files are missing or damaged, or flags contradict each other.
    """
    common.check_fields()
    for recipe in recipes:
        recipe.check("pretrain")
    for recipe in recipes:
        folder = run_folder(common, recipe.pretrain, f"pretrain/{recipe.name}", len(recipes))
        with sole_process(folder):
            _pretrain(common, recipe, folder)
        keras.utils.clear_session(free_memory=True)


def _pretrain(common: Common, recipe: Recipe, folder: Path) -> None:
    # ---- 1 Config ------------------------------------------------------------------------------
    config, title = recipe.pretrain, f"pretrain {recipe.name}"
    keras.config.set_dtype_policy(config.dtype_policy)
    keras.utils.set_random_seed(common.seed)

    # ---- 2 Data --------------------------------------------------------------------------------
    data = _open(common, config)
    record = StepRecord.of_folder(title, folder, _configuration(common, recipe, data))
    states = StateKeeper(folder)
    state = resume(record, states)
    if state is None:
        return
    steps = config.steps(steps_per_epoch(len(data.videos), config.batch_size, "videos"))

    # ---- 3 Model and optimizer -----------------------------------------------------------------
    with data_parallel(config):
        first, trainer = _start(common, recipe, data, steps)
    backbone, parts = first.backbone, (first.tokenizer, data.tags)

    # ---- 4 Fit and evaluate --------------------------------------------------------------------
    print(
        f"{title}: {len(data.videos)} videos, {len(data.tags)} tags, {len(first.tokenizer)} "
        f"wordpieces, {backbone.count_params():,} weights, {steps} steps of {config.batch_size}"
    )
    examples = Examples(data.videos, *parts, recipe.model)
    batches = batches_from(common.seed, config, steps, state.step)
    dataset = pretraining_dataset(examples, batches, config.masked_lm.share)
    rated = Examples(data.rated, *parts, recipe.model)
    validation = PairValidation(EmbeddingModel(backbone), rated, data.pairs, config.val_batch_size)
    about = {"recipe": recipe.name, "stage": "pretrain"}
    run_ = TrainingRun(title, folder, steps, "videos", config, about, state)
    train(run_, trainer, dataset, validation, parts)

    # ---- 5 Write -------------------------------------------------------------------------------
    record.finish()
    states.clear()


@dataclasses.dataclass(frozen=True)
class _Data:
    """What pretraining reads: videos to train on, rated ones to validate on, the tags."""

    videos: VideoTable
    rated: VideoTable
    labels: Path
    pairs: Pairs
    tags: TagVocabulary


def _open(common: Common, config: PretrainConfig) -> _Data:
    labels = config.annotation_file or common.data_dir / "pairwise/label.tsv"
    rated = open_videos(common, config.val_record_pattern, PAIRWISE)
    pairs, rows = open_ratings(labels, rated)
    return _Data(
        open_videos(common, config.train_record_pattern, POINTWISE),
        rated,
        labels,
        pairs.take(complete(rows)),
        open_tags(common, config),
    )


def _start(common: Common, recipe: Recipe, data: _Data, steps: int) -> tuple[Checkpoint, Trainer]:
    """The model before its first update, and what trains it."""
    titles = [*data.videos.titles, *data.rated.titles]
    first = fresh_model(common, recipe, titles, data.tags)
    backbone, config = first.backbone, recipe.pretrain
    losses = build_objectives(objectives(config), backbone, backbone.output_keys)
    load_encoder(common, backbone, losses)
    optimizer = build_optimizer(config.optimizer, steps, config.total_steps, compiled)
    return first, Trainer(Task(backbone, losses), optimizer)


def _configuration(common: Common, recipe: Recipe, data: _Data) -> dict[str, Any]:
    """Everything the result depends on."""
    digests = [data.videos.digest, data.rated.digest, file_digest(data.labels), data.tags.digest]
    return {
        "recipe": recipe.name,
        "model": dataclasses.asdict(recipe.model),
        "pretrain": recipe.pretrain.identity(),
        "seed": common.seed,
        "encoder": encoder_digest(common, recipe),
        "data": digests,
    }
