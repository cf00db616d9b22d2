"""Flags of similarity's folds and of its ensemble, as data: read without TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from vidsim.config import PUBLISHED_FOLDS
from vidsim.config_fields import Alias, Config, Count, Range
from vidsim.tasks.configs import FoldConfig


@dataclass(frozen=True)
class WriteTfrecordConfig(FoldConfig):
    """How the rated pairs become folds."""

    num_folds: Annotated[int, Range(1, 10_000)] = PUBLISHED_FOLDS
    """Number of folds."""
    fold_size: Count | None = None
    """Validation pairs of a fold. Default: 6000 as published for 11 folds of at least 66,000 pairs,
    otherwise all pairs divided evenly."""
    self_contained: bool = False
    """Write both videos whole into every pair, as published; for the challenge some 80 GB. Default:
    ids and rating only, the videos are found by id."""
    group_by_video: bool = False
    """Make folds in which no validation video is in training."""


@dataclass(frozen=True)
class EnsembleConfig(Config):
    """Flags of `python ensemble`."""

    weights: str | None = None
    """Weight of every recipe, name=number,name=number; or fit: fitted to the validation pairs of
    the folds, by the mean of the recipes' cosines. Default: as published."""
    blend: Literal["sum", "aligned", "svd"] = "svd"
    """How recipes are blended: svd (the winner's: their cosines averaged by weight), sum (of the
    vectors, as published), aligned (the sum, in one basis)."""
    raw: bool = False
    """Blend the vectors as they come, as published; without it each is scaled to length one."""
    annotation_file: Path | None = None
    """Rated pairs; default: pairwise/label.tsv in the data folder."""
    test_b_file: Annotated[str | None, Alias("--ids")] = None
    """Test videos, a file or a pattern; default: test_b/test_b.tfrecords in the data folder. Their
    ratings are in label.tsv beside them, if anywhere."""
    out: str | None = None
    """Name of the place of other test videos' embeddings, report and submission, as given to
    inference; default: made of the file's name."""
    check: Path | None = None
    """Blend nothing: say everything that the challenge would refuse in this zip."""
