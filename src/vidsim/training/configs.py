"""Flags that pretraining and finetuning share: data, length, rhythm. Names as published."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from vidsim.config_fields import ORIGINS, Config, Count, LearningRate, Range, Share, Steps
from vidsim.preprocess.configs import AugmentationConfig
from vidsim.training.tricks_config import TricksConfig

_Warmup = Annotated[int, Range(0, 2**31 - 1)]


@dataclass(frozen=True)
class OptimizerConfig(Config):
    """Flags of the optimizer."""

    lr: LearningRate = 5e-4
    """Peak learning rate of everything but the text encoder."""
    bert_lr: LearningRate = 3e-5
    """Peak learning rate of the text encoder; 0: it is not trained, and has no dropout."""
    minimum_lr: LearningRate = 0.0
    """Learning rate of both at the end of the run."""
    schedule: Literal["linear", "cosine"] = "linear"
    """How both fall after the warm-up: in a straight line, or by half a period of a cosine."""
    warmup_steps: _Warmup = 1000
    """Updates until the peak; the same share of a run that ends before total_steps."""
    bert_warmup_steps: _Warmup = 1000
    """The same for the text encoder."""
    weight_decay: Share = 0.01
    """Decoupled weight decay; biases and normalisations have none."""
    clip_norm: Annotated[float, Range(0, 1e6)] = 1.0
    """Greatest norm of each group's gradient; 0 turns clipping off."""

    def contradictions(self) -> Iterator[str]:
        for name in ("lr", "bert_lr"):
            if 0 < getattr(self, name) < self.minimum_lr:
                yield f"{self.said('minimum_lr')} is above {self.said(name)}"


@dataclass(frozen=True)
class RunConfig(Config):
    """One training run. Paths left empty are found under --data-dir and --save-dir."""

    train_record_pattern: str | None = None
    """TFRecord files to train on, a glob pattern."""
    val_record_pattern: str | None = None
    """TFRecord files to validate on, a glob pattern."""
    multi_label_file: Path | None = None
    """Tag ids, one a line; default: tag_list.txt in the data folder."""
    savedmodel_path: Path | None = None
    """Folder of this one run (one recipe, one fold); default: under the save folder."""
    batch_size: Count = 128
    """Videos (pretraining) or pairs (finetuning) in one update."""
    length_pool: Count = 16
    """Batches whose examples are sorted by length together before they are cut, so that little of a
    batch is padding; 1: batches wholly at random."""
    val_batch_size: Count = 128
    """Videos embedded at a time."""
    total_steps: Steps = 4000
    """Updates; fewer if --epochs ends the run sooner."""
    epochs: Steps = 20
    """Most passes over the training data."""
    print_freq: Steps = 100
    """Updates between two lines of progress."""
    eval_freq: Steps = 1000
    """Updates between two validations; there is always one at the end."""
    save_seconds: Annotated[float, Range(0, 1e9)] = 300
    """Seconds between two saved states, from which a run that was killed goes on. There is also one
    at every validation."""
    devices: Annotated[int, Range(1, 4096)] = 1
    """GPUs (CPUs where there is none) that share every batch: --batch-size stays that of all
    together. 1: no sharing."""
    dtype_policy: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Keras dtype policy of the model's arithmetic; weights and embeddings stay float32."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    tricks: TricksConfig = field(default_factory=TricksConfig)

    def contradictions(self) -> Iterator[str]:
        optimizer = self.optimizer
        for name in ("warmup_steps", "bert_warmup_steps"):
            # A run that is cut short by a later word keeps its recipe's warm-up; but nobody asks
            # for a warm-up that never ends.
            later = ORIGINS.index(optimizer.origin(name)) >= ORIGINS.index(
                self.origin("total_steps")
            )
            if later and getattr(optimizer, name) > self.total_steps:
                yield f"{optimizer.said(name)} is beyond the run, {self.said('total_steps')}"
        if self.batch_size % self.devices:
            yield f"{self.said('batch_size')} cannot be divided among {self.said('devices')}"
        if self.devices > 1 and self.dtype_policy == "mixed_float16":
            yield (
                f"{self.said('devices')} with {self.said('dtype_policy')}: each device would scale "
                "the loss by itself; take mixed_bfloat16"
            )
        tricks = self.tricks
        attack = tricks.said("fgm" if tricks.fgm else "pgd_steps")
        if tricks.attack is not None and self.devices > 1:
            yield f"{attack} with {self.said('devices')}: an attack runs on one device only"
        if tricks.attack is not None and not optimizer.bert_lr:
            yield f"{attack} with {optimizer.said('bert_lr')}: the word embeddings are not trained"

    def pair_evaluator(self, rows_1: Any, rows_2: Any, sim: Any) -> Any:
        """What decides which checkpoint is the best; a subclass may return another one.

        Args:
            rows_1: (P,) the row of each rated pair's first video among the embeddings.
            rows_2: (P,) the row of its second video.
            sim: (P,) its rating.

        Returns:
            A function of embeddings (N, D) to a dict of metrics, with `primary_metric` and
            `greater_is_better`.
        """
        from vidsim.metrics.spearman import SpearmanEvaluator

        return SpearmanEvaluator(rows_1, rows_2, sim)

    def steps(self, per_epoch: int) -> int:
        """Updates that this run makes, given the updates in one pass over its data."""
        return min(self.total_steps, self.epochs * per_epoch)
