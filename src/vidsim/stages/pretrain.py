"""Pretraining: every recipe's backbone on single videos, validated by Spearman on rated pairs."""

import dataclasses
from pathlib import Path

import keras

from vidsim.config import Common
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.task import Task
from vidsim.objectives.objective import build_objectives
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.pipeline import pretraining_dataset, steps_per_epoch
from vidsim.recipes.recipe import Recipe, objectives
from vidsim.records.labels import read_labels
from vidsim.stages.initial_model import fresh_model
from vidsim.stages.inputs import (
    PAIRWISE,
    POINTWISE,
    PairValidation,
    open_tags,
    open_videos,
    run_folder,
)
from vidsim.stages.step_record import StepRecord
from vidsim.stages.training_run import TrainingRun, train
from vidsim.training.files import file_digest, write_json
from vidsim.training.optimizer import build_optimizer
from vidsim.training.trainer import Trainer


def run(common: Common, recipes: list[Recipe]) -> None:
    """Pretrains every recipe that is not done yet.

    Args:
        common: folders, seed, encoder folder.
        recipes: with the command line's changes applied.

    Raises:
        VidsimError: input files are missing or damaged, or flags contradict each other.
    """
    for recipe in recipes:
        folder = run_folder(common, recipe.pretrain, f"pretrain/{recipe.name}", len(recipes))
        _pretrain(common, recipe, folder)
        keras.utils.clear_session(free_memory=True)


def _pretrain(common: Common, recipe: Recipe, folder: Path) -> None:
    # ---- 1 Config ------------------------------------------------------------------------------
    config, title = recipe.pretrain, f"pretrain {recipe.name}"
    keras.config.set_dtype_policy(config.dtype_policy)
    keras.utils.set_random_seed(common.seed)

    # ---- 2 Data --------------------------------------------------------------------------------
    table = open_videos(common, config.train_record_pattern, POINTWISE)
    rated = open_videos(common, config.val_record_pattern, PAIRWISE)
    labels = config.annotation_file or common.data_dir / "pairwise/label.tsv"
    tags = open_tags(common, config)
    record = StepRecord.of_folder(
        title,
        folder,
        {
            "recipe": recipe.name,
            "model": dataclasses.asdict(recipe.model),
            "pretrain": dataclasses.asdict(config),
            "seed": common.seed,
            "bert_dir": common.bert_dir,
            "data": [table.digest, rated.digest, file_digest(labels), tags.digest],
        },
    )
    if record.is_done():
        return
    titles = [*table.titles, *rated.titles]
    model = fresh_model(common, recipe, titles, tags)
    backbone, tokenizer = model.backbone, model.tokenizer
    examples = Examples(table, tokenizer, tags, recipe.model)
    per_epoch = steps_per_epoch(len(examples), config.batch_size, "videos")
    steps = config.steps(per_epoch)
    probability = config.masked_lm.mlm_probability if config.masked_lm.mlm_weight else 0.0
    dataset = pretraining_dataset(examples, config.batch_size, steps, common.seed, probability)

    # ---- 3 Objectives --------------------------------------------------------------------------
    task = Task(backbone, build_objectives(objectives(config), backbone, backbone.output_keys))

    # ---- 4 Optimizer ---------------------------------------------------------------------------
    trainer = Trainer(task, build_optimizer(config.optimizer, steps, config.total_steps))

    # ---- 5 Fit and evaluate --------------------------------------------------------------------
    print(
        f"{title}: {len(table)} videos, {len(tags)} tags, {len(tokenizer)} wordpieces, {steps} "
        f"steps of {config.batch_size}, {backbone.count_params():,} weights"
    )
    validation = PairValidation(
        EmbeddingModel(backbone),
        Examples(rated, tokenizer, tags, recipe.model),
        read_labels(labels),
        config.val_batch_size,
    )
    about = {"recipe": recipe.name, "stage": "pretrain"}
    write_json(folder / "config.json", record.configuration)
    run_ = TrainingRun(title, folder, steps, "videos", config, about)
    metrics = train(run_, trainer, dataset, validation, (tokenizer, tags))

    # ---- 6 Write -------------------------------------------------------------------------------
    record.finish()
    print(
        f"{title}: best Spearman {metrics['spearman']:.4f} at step {metrics['step']}, "
        f"{metrics['seconds']:.0f} s -> {folder}"
    )
