"""What retrieval reads: captions, and the videos of the data folder that they may name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from vidsim.config import Common, parse_folds
from vidsim.errors import VidsimError
from vidsim.metrics.retrieval import RetrievalEvaluator
from vidsim.records.file_pattern import FilePattern
from vidsim.records.video_table import VideoTable, lost_files, matching_files, video_files
from vidsim.tasks.data_files import PAIRWISE, POINTWISE, open_table, stream_widths
from vidsim.tasks.folds import fold_dir
from vidsim.tasks.retrieval.captions import Captions, read_captions
from vidsim.tasks.retrieval.fold_manifest import TASK, TRAIN_FILE, VAL_FILE, read_manifest
from vidsim.tasks.retrieval.sides import places_among, sentences_alone, videos_alone


def caption_videos(common: Common) -> VideoTable:
    """All videos of pointwise/ and of pairwise/pairwise.tfrecords, each once.

    Raises:
        VidsimError: there are none, or files are damaged or gone.
    """
    patterns = [FilePattern(common.data_dir, pattern) for pattern in (POINTWISE, PAIRWISE)]
    there = [item for item in patterns if matching_files(item) or lost_files(item)]
    if not there:
        raise VidsimError(
            f"neither {patterns[0]} nor {patterns[1]} is there; the videos that captions are of "
            "stand in one of them, or in both"
        )
    return open_table(common, [path for item in there for path in video_files(item)])


@dataclass(frozen=True, eq=False)
class FoldCaptions:
    """One fold.

    Attributes:
        fold: its number.
        videos: all videos, without their texts.
        train: the sentences that are trained on.
        val: those that validate; their videos are the gallery.
    """

    fold: int
    videos: VideoTable
    train: Captions
    val: Captions

    @property
    def count(self) -> int:
        """Training sentences."""
        return len(self.train)

    @cached_property
    def gallery(self) -> np.ndarray:
        """(V,) rows of the validation videos, in the order of their first sentences."""
        return self.videos.rows_of(self.val.different_videos())

    @cached_property
    def train_texts(self) -> VideoTable:
        """The training sentences, a row each."""
        return sentences_alone(self.train, self.videos)

    @cached_property
    def val_texts(self) -> VideoTable:
        """The validation sentences, a row each."""
        return sentences_alone(self.val, self.videos)

    def evaluator(self) -> RetrievalEvaluator:
        """Scores embeddings of `val_texts` and of the gallery."""
        return evaluator_of(self.val, self.videos.ids[self.gallery])

    def validated(self) -> str:
        """The validation part in words."""
        return f"{len(self.val)} captions, gallery {len(self.gallery)} videos, none of training"

    def about(self) -> dict[str, Any]:
        """Counts for metrics.json."""
        return {
            "made_up_sample": False,
            "captions": len(self.train),
            "videos": len(self.train.different_videos()),
            "validation_captions": len(self.val),
            "validation_videos": len(self.gallery),
        }

    def baseline(self) -> dict[str, Any]:
        """What a random order scores."""
        return {**self.evaluator().chance(), "of": "random order (expected value)"}


class CaptionFolds:
    """The folds that a command works on.

    Args:
        common: folders and --folds.
        settings: what the head depends on.

    Attributes:
        folds: their numbers.
        fewest: training sentences of the smallest fold there is.
        settings: the same.

    Raises:
        VidsimError: they are not written yet, or are damaged.
    """

    def __init__(self, common: Common, settings: Mapping[str, Any] = MappingProxyType({})):
        self._common, self.settings = common, dict(settings)
        self.manifest = read_manifest(common)
        self.folds = parse_folds(common.folds, len(self.manifest.folds))
        self.fewest = min(entry.train_captions for entry in self.manifest.folds)
        self._hashes: dict[int, dict[str, str]] = {}

    @cached_property
    def videos(self) -> VideoTable:
        """All videos, without their texts."""
        return videos_alone(caption_videos(self._common))

    def load(self, fold: int) -> FoldCaptions:
        """Reads one fold.

        Raises:
            VidsimError: a file is damaged, or of other videos than there are.
        """
        entry = self.manifest.folds[fold]
        train = self._read(fold, TRAIN_FILE, entry.train_captions)
        val = self._read(fold, VAL_FILE, entry.val_captions)
        return FoldCaptions(fold, self.videos, train, val)

    def hashes(self, fold: int) -> dict[str, str]:
        """The hashes of one fold; its files are read when they are asked for first."""
        if fold not in self._hashes:
            data = self.load(fold)
            self._hashes[fold] = {
                "train_captions": data.train.digest,
                "val_captions": data.val.digest,
                "videos": data.videos.digest,
            }
        return self._hashes[fold]

    def widths(self) -> dict[str, int]:
        """Numbers in a frame, by tensor; {} where there are none."""
        return stream_widths([self.videos])

    def titles(self) -> list[str]:
        """Every sentence: what a vocabulary is trained on, the same whichever folds are named."""
        first = self.load(0)
        return [*first.train.sentences, *first.val.sentences]

    def _read(self, fold: int, name: str, expected: int) -> Captions:
        path = fold_dir(self._common, TASK, fold) / name
        captions = read_captions(path)
        if len(captions) != expected:
            raise VidsimError(
                f"{path}: {len(captions)} captions, and {expected} were written; make the folds "
                f"anew by `python write_tfrecord.py --task {TASK} --redo`"
            )
        self.videos.rows_of(captions.different_videos())
        return captions


def evaluator_of(captions: Captions, videos: np.ndarray) -> RetrievalEvaluator:
    """Scores embeddings of sentences and of a gallery, whose ids are given."""
    return RetrievalEvaluator(places_among(captions, videos), len(videos))
