"""What pretraining and finetuning do alike: fit, validate, keep checkpoints, record."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.preprocess.pipeline import Batches
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.provenance import provenance
from vidsim.stages.tensorboard_log import TensorBoardLog
from vidsim.training.checkpoint import Checkpoint
from vidsim.training.checkpoint_keeper import CheckpointKeeper
from vidsim.training.configs import RunConfig
from vidsim.training.divergence import StopOnDivergence
from vidsim.training.progress import ProgressDisplay
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.state_saver import StateSaver
from vidsim.training.stop_request import StopRequest
from vidsim.training.trainer import Trainer
from vidsim.training.training_log import TrainingLog
from vidsim.training.training_state import TrainingState
from vidsim.training.validation import Evaluator, Validation, metric_title


@dataclass(frozen=True)
class TrainingRun:
    """One run: where it lies and how long it is.

    Attributes:
        title: as the user reads it.
        folder: for checkpoints, logs and metrics.
        steps: updates.
        unit: what an example is, such as "videos".
        config: the stage's configuration.
        about: goes into every checkpoint's config.json.
        data: what it is trained and validated on, for metrics.json.
        state: where it begins.
    """

    title: str
    folder: Path
    steps: int
    unit: str
    config: RunConfig
    about: dict[str, Any]
    data: dict[str, Any]
    state: TrainingState


def train(
    run: TrainingRun,
    trainer: Trainer,
    dataset: tf.data.Dataset,
    evaluate: Evaluator,
    parts: tuple[TitleTokenizer, TagVocabulary],
) -> None:
    """Fits, validates, keeps checkpoints and states, and writes metrics.json.

    Args:
        run: the run.
        trainer: in its first state.
        dataset: exactly the batches from the run's state on.
        evaluate: validation on the current weights.
        parts: for the checkpoints.

    Raises:
        VidsimError: the run has diverged, or no validation gave a number, or its state was judged
            by another metric.
        Interrupted: by Ctrl-C or SIGTERM, after the state was saved.
    """
    if not trainer.fits:
        for note in filter(None, (objective.note for objective in trainer.task.objectives)):
            print(f"{run.title}: {note}")
    if run.state.step:
        trainer.restore(run.state.variables)
    keeper = _keeper(run, trainer, evaluate, parts)
    log, saver = _fit(run, trainer, dataset, evaluate, keeper)
    if keeper.best is None:
        raise VidsimError(
            f"{run.folder}: none of its validations gave a number for {_name(keeper)}, so that no "
            "checkpoint is the best. A rank correlation, for one, needs marks that differ, and a "
            "model that tells videos apart"
        )
    metrics = {
        **{key: value for key, value in keeper.best.items() if key != "folder"},
        "primary_metric": keeper.judged_by["metric"],
        "greater_is_better": keeper.judged_by["greater_is_better"],
        "seconds": round(saver.seconds, 1),
        "skipped": int(trainer.task.total_notfinite.numpy()),
        "data": run.data,
        **provenance(),
        "history": log.history,
    }
    write_json(run.folder / "metrics.json", metrics)
    print(
        f"{run.title}: best {_name(keeper)} {keeper.best[keeper.judged_by['metric']]:.4f} at step "
        f"{metrics['step']}, "
        f"{metrics['seconds']:.0f} s -> {run.folder}"
    )


def batches_from(seed: int | tuple[int, ...], config: RunConfig, steps: int, first: int) -> Batches:
    """The batches of a run from its step ``first`` on."""
    return Batches(config.batch_size, steps, seed, config.augmentation, config.length_pool, first)


def _name(keeper: CheckpointKeeper) -> str:
    """The metric that decides, as a sentence has it."""
    return metric_title(keeper.judged_by["metric"])


def _keeper(
    run: TrainingRun,
    trainer: Trainer,
    evaluate: Evaluator,
    parts: tuple[TitleTokenizer, TagVocabulary],
) -> CheckpointKeeper:
    """Knows the checkpoints that the run has kept before it was interrupted."""

    def save(folder: Path, metrics: dict[str, Any]) -> None:
        about = {**run.about, **metrics, "primary_metric": evaluate.primary_metric}
        Checkpoint(trainer.task.backbone, *parts, about, trainer.task.head).save(folder)

    judged_by = evaluate.primary_metric, evaluate.greater_is_better
    keeper = CheckpointKeeper(run.folder, save, *judged_by)
    if run.state.step:
        keeper.resume(run.state.best, run.state.last, run.state.judged_by)
    return keeper


def _fit(
    run: TrainingRun,
    trainer: Trainer,
    dataset: tf.data.Dataset,
    evaluate: Evaluator,
    keeper: CheckpointKeeper,
) -> tuple[TrainingLog, StateSaver]:
    config, state, states = run.config, run.state, StateKeeper(run.folder)
    stop = StopRequest(run.title, run.steps)
    with stop, ProgressDisplay(run.title, run.steps, run.unit) as display:
        listeners = [display, TensorBoardLog(run.folder / "logs")]
        log = TrainingLog(
            config.print_freq,
            run.steps,
            config.batch_size,
            listeners,
            state.step,
            trainer.about_update,
        )
        log.history = list(state.history)
        diverged = StopOnDivergence(keeper, log, state.step)
        kept = (keeper, log, state.step, trainer.weights_to_keep)
        validation = Validation(evaluate, config.eval_freq, run.steps, *kept)
        saver = StateSaver(states, config.save_seconds, state, trainer, keeper, log, stop)
        if state.step < run.steps:
            trainer.fit(dataset, [log, diverged, validation, saver])
    return log, saver
