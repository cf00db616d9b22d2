"""Flags of classification, as data: read without TensorFlow."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from vidsim.config_fields import Alias, Config, Range
from vidsim.objectives.configs import ClassConfig
from vidsim.recipes.recipe import TaskConfig
from vidsim.tasks.configs import FoldConfig


@dataclass(frozen=True)
class ClassificationConfig(TaskConfig):
    """Flags of `python finetune --task classification`. A new objective is one line."""

    classes: ClassConfig = field(default_factory=ClassConfig)

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        for name in ("train_record_pattern", "val_record_pattern"):
            if getattr(self, name) is not None:
                yield (
                    f"{self.said(name)}: classification reads the folds of `write_tfrecord.py "
                    "--task classification` and the videos of the data folder; name another by "
                    "--data-dir"
                )


@dataclass(frozen=True)
class ClassFoldConfig(FoldConfig):
    """How the videos that have a category become folds."""

    num_folds: Annotated[int, Range(2, 10_000)] | None = None
    """Number of folds, each with about the same share of every class; default: 5, or one where
    classification/dev.txt lists the videos that validate."""


@dataclass(frozen=True)
class ClassEnsembleConfig(Config):
    """Flags of `python ensemble --task classification`."""

    weights: str | None = None
    """Weight of every recipe's probabilities, name=number,name=number; default: equal weights."""
    test_b_file: Annotated[str | None, Alias("--ids")] = None
    """Test videos, a file or a pattern; default: test_b/test_b.tfrecords in the data folder."""
    out: str | None = None
    """Name of the place of other test videos' probabilities, report and result, as given to
    inference; default: made of the file's name."""
