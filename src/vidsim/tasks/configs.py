"""Flags that every task's commands have, as data. A task adds its own in a subclass."""

from dataclasses import dataclass
from pathlib import Path

from vidsim.config_fields import Config, Count


@dataclass(frozen=True)
class FoldConfig(Config):
    """Flags of `python write_tfrecord.py` for any task."""

    make_sample: bool = False
    """If the data folder is not there yet, write a small made-up data set into it first."""


@dataclass(frozen=True)
class InferenceConfig(Config):
    """Flags of `python inference`."""

    test_b_file: str | None = None
    """Videos to embed, a glob pattern; default: test_b/test_b.tfrecords in the data folder."""
    test_batch_size: Count = 128
    """Videos embedded at a time."""
    ckpt_file: Path | None = None
    """A checkpoint or a run's folder, of finetuning or pretraining, for one recipe and one fold;
    default: each finetuning's best one."""
    out: str | None = None
    """Name of the folder under <save>/inference/<recipe>/ for other videos than the test videos of
    the data folder; default: made from the name of --test-b-file."""
