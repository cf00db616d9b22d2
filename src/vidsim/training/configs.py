"""Flags that pretraining and finetuning share: data, length, rhythm. Names as published."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vidsim.preprocess.configs import AugmentationConfig


@dataclass(frozen=True)
class OptimizerConfig:
    """Flags of the optimizer."""

    lr: float = 5e-4
    """Peak learning rate of everything but the text encoder."""
    bert_lr: float = 3e-5
    """Peak learning rate of the text encoder."""
    minimum_lr: float = 0.0
    """Learning rate of both at the end of the run."""
    warmup_steps: int = 1000
    """Updates until the peak; the same share of a run that ends before total_steps."""
    bert_warmup_steps: int = 1000
    """The same for the text encoder."""
    weight_decay: float = 0.01
    """Decoupled weight decay; biases and normalisations have none."""
    clip_norm: float = 1.0
    """Greatest norm of each group's gradient; 0 turns clipping off."""


@dataclass(frozen=True)
class RunConfig:
    """One training run. Paths left empty are found under --data-dir and --save-dir."""

    train_record_pattern: str | None = None
    """TFRecord files to train on, a glob pattern."""
    val_record_pattern: str | None = None
    """TFRecord files to validate on, a glob pattern."""
    multi_label_file: Path | None = None
    """Tag ids, one a line; default: tag_list.txt in the data folder."""
    savedmodel_path: Path | None = None
    """Folder of this one run (one recipe, one fold); default: under the save folder."""
    batch_size: int = 128
    """Videos (pretraining) or pairs (finetuning) in one update."""
    length_pool: int = 16
    """Batches whose examples are sorted by length together before they are cut, so that little of a
    batch is padding; 1: batches wholly at random."""
    val_batch_size: int = 128
    """Videos embedded at a time."""
    total_steps: int = 4000
    """Updates; fewer if --epochs ends the run sooner."""
    epochs: int = 20
    """Most passes over the training data."""
    print_freq: int = 100
    """Updates between two lines of progress."""
    eval_freq: int = 1000
    """Updates between two validations; there is always one at the end."""
    save_seconds: float = 300
    """Seconds between two saved states, from which a run that was killed goes on. There is also one
    at every validation."""
    devices: int = 1
    """GPUs (CPUs where there is none) that share every batch: --batch-size stays that of all
    together. 1: no sharing."""
    dtype_policy: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Keras dtype policy of the model's arithmetic; weights and embeddings stay float32."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def steps(self, per_epoch: int) -> int:
        """Updates that this run makes, given the updates in one pass over its data."""
        return min(self.total_steps, self.epochs * per_epoch)

    def identity(self) -> dict[str, Any]:
        """The fields that a result is known by: not how often a run saves, nor where it runs."""
        fields = dataclasses.asdict(self)
        del fields["save_seconds"], fields["devices"]
        return fields
