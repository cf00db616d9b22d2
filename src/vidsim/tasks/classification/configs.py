"""Flags of classification, as data: read without TensorFlow."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from vidsim.config_fields import Alias, Config, Range, Rate
from vidsim.objectives.configs import ClassConfig
from vidsim.recipes.recipe import TaskConfig
from vidsim.tasks.configs import FoldConfig

_MOST = 1000  # times that a video is seen in one pass
_LEAST_MIXUP = 0.1  # TensorFlow draws those of much smaller ones wrongly: all 0.5


@dataclass(frozen=True)
class ClassificationConfig(TaskConfig):
    """Flags of `python finetune --task classification`. A new objective is one line."""

    resample: str = ""
    """Classes that are seen more often in a pass, as 100:5,500:3,1000:2: those of fewer than 100
    training videos 5 times, of the others those of fewer than 500 3 times, and so on."""
    class_hidden: Annotated[int, Range(0, 2**16)] = 0
    """Hidden size of the layer between the embedding and the classes; 0: none, the classes are read
    off the embedding by one linear layer."""
    class_dropout: Rate = 0.5
    """Dropout after that layer; half as much before it."""
    class_heads: Annotated[int, Range(1, 16)] = 1
    """Heads, each with its own weights, dropout and loss; their probabilities are averaged."""
    class_skip: bool = False
    """Whether that layer also reads what a video is made of, past the model's embedding: the mean
    of the words' last states and that of the frames as they are. The embedding then gets a weight
    that is learned, from 0 on."""
    mixup: Annotated[float, Range(0, 100)] = 0.0
    """What the heads read of a video is mixed with that of another, and so are the classes; shares
    are drawn from the Beta(x, x) distribution of this x. 0: not mixed; the least besides is 0.1."""
    classes: ClassConfig = field(default_factory=ClassConfig)

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        if self.class_skip and not self.class_hidden:
            yield f"{self.said('class_skip')} has no meaning without --class-hidden N"
        if self.origin("class_dropout") == "flag" and not self.class_hidden:
            yield f"{self.said('class_dropout')} does nothing without --class-hidden N"
        if 0 < self.mixup < _LEAST_MIXUP:
            yield f"{self.said('mixup')}: accepted is 0, or {_LEAST_MIXUP} to 100"
        if parse_resample(self.resample) is None:
            yield (
                f"{self.said('resample')}: accepted is a comma list of SIZE:FACTOR, whole numbers "
                "from 1, sizes ascending, as 100:5,500:3,1000:2"
            )
        for name in ("train_record_pattern", "val_record_pattern"):
            if getattr(self, name) is not None:
                yield (
                    f"{self.said(name)}: classification reads the folds of `write_tfrecord.py "
                    "--task classification` and the videos of the data folder; name another by "
                    "--data-dir"
                )


def parse_resample(table: str) -> tuple[tuple[int, int], ...] | None:
    """The table of `resample` as pairs (size, factor); None: it is none."""
    if not table.strip():
        return ()
    words = [word.split(":") for word in table.split(",")]
    if any(len(pair) != 2 or not all(w.strip().isdecimal() for w in pair) for pair in words):
        return None
    pairs = tuple((int(size), int(factor)) for size, factor in words)
    sizes = [size for size, _ in pairs]
    in_range = all(1 <= size < 2**31 and 1 <= factor <= _MOST for size, factor in pairs)
    return pairs if in_range and sizes == sorted(set(sizes)) else None


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
    """Weight of every recipe's probabilities, name=number,name=number; or fit: fitted to
    the validation videos of the folds, by mean_f1. Default: equal weights."""
    test_b_file: Annotated[str | None, Alias("--ids")] = None
    """Test videos, a file or a pattern; default: test_b/test_b.tfrecords in the data folder."""
    out: str | None = None
    """Name of the place of other test videos' probabilities, report and result, as given to
    inference; default: made of the file's name."""
