"""Where finetuning finds the videos of a fold and their classes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from vidsim.config import Common, parse_folds
from vidsim.metrics.classification import ClassificationEvaluator
from vidsim.preprocess.category_vocabulary import CategoryVocabulary
from vidsim.provenance import is_made_up
from vidsim.records.video_table import VideoTable
from vidsim.schema import CATEGORY, CLASS_SHARES
from vidsim.tasks.classification.fold_manifest import (
    TASK,
    TRAIN_FILE,
    VAL_FILE,
    read_ids,
    read_manifest,
)
from vidsim.tasks.classification.labelled import LabelledVideos, open_labelled
from vidsim.tasks.data_files import stream_widths
from vidsim.tasks.folds import fold_dir


@dataclass(frozen=True)
class FoldVideos:
    """The two parts of one fold.

    Attributes:
        fold: its number.
        videos: all videos with a category.
        train: (R,) rows of those to train on.
        val: (V,) rows of those to validate by.
        resample: pairs (size, factor), sizes ascending: a class of fewer training videos than the
            size is seen that many times in a pass; the first pair that fits counts.
    """

    fold: int
    videos: LabelledVideos
    train: np.ndarray
    val: np.ndarray
    resample: tuple[tuple[int, int], ...] = ()

    @property
    def table(self) -> VideoTable:
        """All videos with a category."""
        return self.videos.table

    @property
    def count(self) -> int:
        """Training videos in a pass, those of small classes as often as they are seen."""
        return len(self.seen)

    @cached_property
    def seen(self) -> np.ndarray:
        """(S,) rows of a pass: those of `train`, each as often as `resample` says, side by side."""
        classes = self.videos.classes[self.train]
        counts = np.bincount(classes, minlength=len(self.videos.vocabulary))
        return np.repeat(self.train, factors(counts, self.resample)[classes])

    def labels(self) -> dict[str, np.ndarray]:
        """What training knows of the rows seen: CATEGORY (S,) and CLASS_SHARES (S, C).

        Shares are counted with one video more of each class, so that none is 0.
        """
        classes = self.videos.classes[self.seen]
        counts = np.bincount(classes, minlength=len(self.videos.vocabulary)) + 1.0
        shares = (counts / counts.sum()).astype("float32")
        whole = np.broadcast_to(shares, (len(classes), len(shares)))
        return {CATEGORY: classes.astype("int32"), CLASS_SHARES: whole}

    def evaluator(self) -> ClassificationEvaluator:
        """Judges probabilities (V, C) of the validation videos."""
        return class_evaluator(self.videos.classes[self.val], self.videos.vocabulary)

    def validated(self) -> str:
        """The validation videos in words."""
        classes = len(np.unique(self.videos.classes[self.val]))
        return f"{len(self.val)} videos of {classes} classes"

    def about(self) -> dict[str, Any]:
        """Counts for metrics.json."""
        return {
            "made_up_sample": is_made_up(self.table.ids.tolist()),
            "videos": len(self.train),
            "videos_in_a_pass": len(self.seen),
            "validation_videos": len(self.val),
            "classes": len(self.videos.vocabulary),
            "without_category": self.videos.left_out,
        }

    def baseline(self) -> dict[str, Any]:
        """What it scores to name the most frequent class of the training part for every video."""
        classes, count = self.videos.classes, len(self.videos.vocabulary)
        most = int(np.bincount(classes[self.train], minlength=count).argmax())
        scores = np.tile(np.arange(count) == most, (len(self.val), 1)).astype("float32")
        return {**self.evaluator()(scores), "of": "the most frequent class for every video"}


def factors(counts: np.ndarray, resample: tuple[tuple[int, int], ...]) -> np.ndarray:
    """How often the videos of each class are seen in a pass.

    Args:
        counts: (C,) training videos of each class.
        resample: as in `FoldVideos`.

    Returns:
        (C,) int64.
    """
    found = np.ones(len(counts), np.int64)
    for size, factor in reversed(resample):
        found[counts < size] = factor
    return found


def class_evaluator(classes: np.ndarray, vocabulary: CategoryVocabulary) -> ClassificationEvaluator:
    """Judges probabilities (V, C) by class numbers (V,); by parents too, where the list has any."""
    own = np.array_equal(vocabulary.ids, vocabulary.parent_ids[vocabulary.parents])
    return ClassificationEvaluator(classes, None if own else vocabulary.parents)


class ClassFolds:
    """The folds that a finetuning command works on.

    Args:
        common: folders and --folds.
        resample: as in `FoldVideos`.
        settings: what else the head depends on.

    Attributes:
        videos: those with a category.
        folds: numbers of the folds.
        fewest: training videos in a pass of the smallest fold there is.
        settings: the same, and the classes' categories, in order.

    Raises:
        VidsimError: folds are not written yet; or as `open_labelled`.
    """

    def __init__(
        self,
        common: Common,
        resample: tuple[tuple[int, int], ...] = (),
        settings: Mapping[str, Any] = MappingProxyType({}),
    ):
        manifest = read_manifest(common)
        self._resample = resample
        self._common, self._files = common, manifest.files(common)
        self.folds = parse_folds(common.folds, len(manifest.folds))
        self.videos: LabelledVideos = open_labelled(common)
        self.stale = manifest.digests.get("videos") != self.videos.table.digest
        classes = self.videos.vocabulary.ids.tolist()
        self.settings: dict[str, Any] = {"classes": classes, **settings}
        self._loaded: dict[int, FoldVideos] = {}
        self.fewest = min(
            self.load(entry.fold).count if resample else entry.train_videos
            for entry in manifest.folds
        )

    def load(self, fold: int) -> FoldVideos:
        """One fold, read once.

        Raises:
            VidsimError: its files were changed, or list a video that is not there any more.
        """
        if fold not in self._loaded:
            train, val = (self._rows(fold, name) for name in (TRAIN_FILE, VAL_FILE))
            self._loaded[fold] = FoldVideos(fold, self.videos, train, val, self._resample)
        return self._loaded[fold]

    def hashes(self, fold: int) -> dict[str, str]:
        """Hashes of both parts' ids, of the videos, and of the classes with their parents."""
        data, ids = self.load(fold), self.videos.table.ids
        return {
            "train_ids": _digest(ids[data.train]),
            "val_ids": _digest(ids[data.val]),
            "videos": self.videos.table.digest,
            "classes": self.videos.vocabulary.digest,
        }

    def widths(self) -> dict[str, int]:
        """Numbers in a frame of the videos, by tensor; {} where they have none."""
        return stream_widths([self.videos.table])

    def titles(self) -> list[str]:
        """The titles of all videos with a category."""
        return self.videos.table.titles

    def _rows(self, fold: int, name: str) -> np.ndarray:
        path = fold_dir(self._common, TASK, fold) / name
        return self.videos.table.rows_of(read_ids(path, self._files[path]))


def _digest(ids: np.ndarray) -> str:
    return hashlib.sha256(b"\n".join(ids.tolist())).hexdigest()
