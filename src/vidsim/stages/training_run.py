"""What pretraining and finetuning do alike: fit, validate, keep checkpoints, record."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from vidsim.files import write_json
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.stages.tensorboard_log import TensorBoardLog
from vidsim.training.checkpoint import Checkpoint
from vidsim.training.checkpoint_keeper import CheckpointKeeper
from vidsim.training.progress import ProgressDisplay
from vidsim.training.run_config import RunConfig
from vidsim.training.trainer import Trainer
from vidsim.training.training_log import TrainingLog
from vidsim.training.validation import Validation


@dataclass(frozen=True)
class TrainingRun:
    """One run: where it lies and how long it is.

    Attributes:
        title: as the user reads it.
        folder: for checkpoints, logs and metrics.
        steps: updates.
        unit: what an example is, "videos" or "pairs".
        config: the stage's configuration.
        about: goes into every checkpoint's config.json.
    """

    title: str
    folder: Path
    steps: int
    unit: str
    config: RunConfig
    about: dict[str, Any]


def train(
    run: TrainingRun,
    trainer: Trainer,
    dataset: tf.data.Dataset,
    evaluate: Callable[[], dict[str, float]],
    parts: tuple[TitleTokenizer, TagVocabulary],
) -> None:
    """Fits, validates, keeps checkpoints, and writes metrics.json.

    Args:
        run: the run.
        trainer: with the weights to start from.
        dataset: exactly the run's batches.
        evaluate: validation on the current weights.
        parts: for the checkpoints.
    """

    def save(folder: Path, metrics: dict[str, Any]) -> None:
        about = {**run.about, **metrics}
        Checkpoint(trainer.task.backbone, *parts, about).save(folder)

    config, began = run.config, time.perf_counter()
    keeper = CheckpointKeeper(run.folder, save)
    with ProgressDisplay(run.title, run.steps, run.unit) as display:
        listeners = [display, TensorBoardLog(run.folder / "logs")]
        log = TrainingLog(config.print_freq, run.steps, config.batch_size, listeners)
        validation = Validation(evaluate, config.eval_freq, run.steps, keeper, log)
        trainer.fit(dataset, [log, validation])
    metrics = {
        **{key: value for key, value in (keeper.best or {}).items() if key != "folder"},
        "seconds": round(time.perf_counter() - began, 1),
        "history": log.history,
    }
    write_json(run.folder / "metrics.json", metrics)
    print(
        f"{run.title}: best Spearman {metrics['spearman']:.4f} at step {metrics['step']}, "
        f"{metrics['seconds']:.0f} s -> {run.folder}"
    )
