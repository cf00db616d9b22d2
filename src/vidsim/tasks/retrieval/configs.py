"""Flags of retrieval, as data: read without TensorFlow."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from vidsim.config_fields import Config, Count, Range, Rate, renamed
from vidsim.objectives.configs import RetrievalLossConfig
from vidsim.objectives.momentum_configs import MomentumContrastConfig, RetrievalMatchConfig
from vidsim.recipes.recipe import TaskConfig
from vidsim.tasks.configs import FoldConfig, InferenceConfig
from vidsim.tasks.retrieval.match_job import Mode

MOST_COSINE_WEIGHT = 320.0
"""With more, probabilities would be too small for a number of 64 bits."""


@dataclass(frozen=True)
class RetrievalConfig(TaskConfig):
    """Flags of `python finetune --task retrieval`. A new objective is one line, here or below."""

    length_pool: Count = 1
    """Batches whose examples are sorted by length together before they are cut; 1: batches wholly
    at random, as negatives should be."""
    tower_hidden: Annotated[int, Range(0, 2**16)] = 0
    """Hidden size of two layers that each side has of its own behind the model; 0: none, the two
    sides differ by what the model itself does with words and frames."""
    tower_dropout: Rate = 0.5
    """Dropout between those two layers; half as much before them."""
    tower_skip: bool = False
    """Whether those layers also read what a side is made of, past the model's embedding: the mean
    of the words' last states, or of the frames as they are. The embedding then gets a weight that
    is learned, from 0 on: a model that starts at random has nothing to say of frames yet."""
    retrieval: RetrievalLossConfig = field(default_factory=RetrievalLossConfig)
    itc: MomentumContrastConfig = field(
        default_factory=lambda: renamed(MomentumContrastConfig(itc_weight=0.0), {})
    )
    match: RetrievalMatchConfig = field(default_factory=RetrievalMatchConfig)

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        yield from self.itc.fits(self.batch_size)
        if self.tower_skip and not self.tower_hidden:
            yield f"{self.said('tower_skip')} has no meaning without --tower-hidden N"
        augmentation = self.augmentation
        if augmentation.modality_dropout:
            yield (
                f"{augmentation.said('modality_dropout')}: in retrieval a side has words or frames "
                "and not both, so that nothing of it would be left; give 0"
            )
        for name in ("train_record_pattern", "val_record_pattern"):
            if getattr(self, name) is not None:
                yield (
                    f"{self.said(name)}: retrieval reads the folds of `write_tfrecord.py --task "
                    "retrieval` and the videos of the data folder; name another by --data-dir"
                )


@dataclass(frozen=True)
class CaptionFoldConfig(FoldConfig):
    """How the captions become folds."""

    num_folds: Annotated[int, Range(2, 10_000)] | None = None
    """Number of folds; default: 5, or one where retrieval/dev_captions.tsv gives its validation."""


@dataclass(frozen=True)
class RetrievalInferenceConfig(InferenceConfig):
    """Flags of `python inference --task retrieval`."""

    mode: Mode = "embedding"
    """embedding: both sides' embeddings; two-stage: also scores of the match head for the best
    --k-test of each search, both ways; joint: for every pair, which takes time by the product of
    both sides. The last two need a model trained with --match-weight."""
    k_test: Count = 128
    """Of two-stage: how many of each search the match head scores."""


@dataclass(frozen=True)
class RetrievalEnsembleConfig(Config):
    """Flags of `python ensemble --task retrieval`."""

    weights: str | None = None
    """Weight of every recipe, name=number,name=number; default: equal weights."""
    mode: Mode = "embedding"
    """Of the inference whose files are blended. embedding: by cosines; two-stage and joint: by the
    match heads' probabilities, a pair that a model did not score counting as 0 there."""
    k_test: Count = 128
    """Of that inference, with two-stage."""
    cosine_weight: Annotated[float, Range(0, MOST_COSINE_WEIGHT)] | None = None
    """With two-stage and joint: this times the cosine is added to the log-odds of the match.
    Default: of each recipe, what gives the greatest r_mean in validation. 0, as published: the
    match head alone sorts what it scored, which takes a head trained on a great many pairs."""
