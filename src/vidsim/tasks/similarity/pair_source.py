"""Where finetuning finds its rated pairs: the folds of write_tfrecord, or files named by flags."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vidsim.config import Common, parse_folds
from vidsim.errors import VidsimError
from vidsim.metrics.spearman import rank_normalized
from vidsim.provenance import is_made_up
from vidsim.recipes.recipe import FinetuneConfig, TaskConfig
from vidsim.records.file_pattern import FilePattern
from vidsim.records.fold_manifest import TRAIN_FILE, VAL_FILE, read_folds
from vidsim.records.folds import seen_pairs, seen_videos
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.tasks.data_files import PAIRWISE, frame_widths, open_pairs, open_videos


@dataclass(frozen=True)
class FoldPairs:
    """The two parts of one fold, with the tables in which their videos stand.

    Attributes:
        rank_labels: whether the model is trained on the ratings' ranks.
    """

    fold: int
    train: Pairs
    train_videos: VideoTable
    val: Pairs
    val_videos: VideoTable
    rank_labels: bool = False

    @property
    def targets(self) -> np.ndarray:
        """(P,) float32, what the cosines of the training pairs are to be."""
        return rank_normalized(self.train.sim) if self.rank_labels else self.train.sim

    @property
    def hashes(self) -> dict[str, str | list[str]]:
        """Hashes of pairs and videos, wherever their files lie."""
        videos = {self.train_videos.digest, self.val_videos.digest}
        return {
            "train_pairs": _digest(self.train),
            "val_pairs": _digest(self.val),
            "videos": sorted(videos),
        }

    @property
    def count(self) -> int:
        """Training pairs."""
        return len(self.train)

    def about(self) -> dict[str, Any]:
        """Counts for metrics.json."""
        pairs = Pairs.concat([self.train, self.val])
        return {
            "made_up_sample": is_made_up(pairs.videos().tolist()),
            "pairs": len(self.train),
            "validation_pairs": len(self.val),
        }

    def baseline(self) -> dict[str, Any]:
        """What an order of the pairs at random scores."""
        return {"spearman": 0.0, "of": "pairs in random order (expected value)"}

    def validated(self) -> str:
        """The validation pairs, and what of them the training part has seen."""
        return f"{len(self.val)} pairs, {self.seen()}"

    def seen(self) -> str:
        """How many validation videos and pairs the training part has seen, in words."""
        videos, seen = seen_videos(self.train, self.val)
        pairs = seen_pairs(self.train, self.val)
        again = f" and {pairs} of its {len(self.val)} pairs" if pairs else ""
        return f"{seen} of its {videos} videos{again} seen in training"


@dataclass(frozen=True)
class _Part:
    """The file of one part of a fold, and how many pairs were written into it, where known."""

    path: Path
    pairs: int | None = None


class PairSource:
    """The folds a finetuning command works on.

    Args:
        common: folders and --folds.
        config: --train-record-pattern and --val-record-pattern, together or not at all; and
            --rank-labels.

    Attributes:
        folds: their numbers.
        fewest: training pairs of the smallest fold there is, whichever folds are named, so that a
            run has the same number of steps alone and together with others.
        settings: nothing; the cosine has no head.
    """

    settings: ClassVar[dict[str, Any]] = {}

    def __init__(self, common: Common, config: TaskConfig):
        self._common = common
        patterns = (config.train_record_pattern, config.val_record_pattern)
        if any(patterns) and not all(patterns):
            raise VidsimError(
                "--train-record-pattern and --val-record-pattern go together: give both or neither"
            )
        self._rank_labels = isinstance(config, FinetuneConfig) and config.rank_labels
        self._videos: VideoTable | None = None
        self._hashes: dict[int, dict[str, str | list[str]]] = {}
        if patterns[0] and patterns[1]:
            self.folds = [_only_fold(common)]
            train, val = (_Part(_only_file(pattern)) for pattern in patterns if pattern)
            self._parts = {self.folds[0]: (train, val)}
            self.fewest = len(self.load(self.folds[0]).train)
            return
        manifest = read_folds(common.data_dir)
        self.folds = parse_folds(common.folds, len(manifest.folds))
        self.fewest = min(entry.train_pairs for entry in manifest.folds)
        pairwise = common.data_dir / "pairwise"
        self._parts = {
            entry.fold: (
                _Part(pairwise / entry.name / TRAIN_FILE, entry.train_pairs),
                _Part(pairwise / entry.name / VAL_FILE, entry.val_pairs),
            )
            for entry in manifest.folds
        }

    def load(self, fold: int) -> FoldPairs:
        """Reads one fold. Videos of thin fold files are those of pairwise.tfrecords."""
        train, train_videos = self._open(self._parts[fold][0])
        val, val_videos = self.validation(fold)
        return FoldPairs(fold, train, train_videos, val, val_videos, self._rank_labels)

    def hashes(self, fold: int) -> dict[str, str | list[str]]:
        """The hashes of one fold; its files are read when they are asked for first."""
        if fold not in self._hashes:
            self._hashes[fold] = self.load(fold).hashes
        return self._hashes[fold]

    def widths(self) -> dict[str, int]:
        """Numbers in a frame of the videos, by tensor; {} where they have none."""
        if (self._common.data_dir / PAIRWISE).is_file():
            return frame_widths([self._pairwise()])
        first = next(iter(self._parts.values()))
        return frame_widths(self._open(part)[1] for part in first)

    def titles(self) -> list[str]:
        """The titles that a vocabulary is trained on, the same whichever folds are named.

        Those of pairwise.tfrecords; where it is not there, of the videos in the folds' own files.
        """
        if (self._common.data_dir / PAIRWISE).is_file():
            return self._pairwise().titles
        titles: dict[bytes, str] = {}
        for parts in self._parts.values():
            for table in [self._open(part)[1] for part in parts]:
                titles |= dict(zip(table.ids.tolist(), table.titles, strict=True))
        return list(titles.values())

    def validation(self, fold: int) -> tuple[Pairs, VideoTable]:
        """Reads the validation part of one fold alone: its pairs and the videos they are of."""
        return self._open(self._parts[fold][1])

    def _open(self, part: _Part) -> tuple[Pairs, VideoTable]:
        pairs, videos = open_pairs(self._common, part.path, part.pairs)
        return pairs, videos if videos is not None else self._pairwise()

    def _pairwise(self) -> VideoTable:
        if self._videos is None:
            self._videos = open_videos(self._common, None, PAIRWISE)
        return self._videos


def _only_fold(common: Common) -> int:
    """With files named by flags, --folds only says under which number the result is kept."""
    if common.folds == "all":
        return 0
    if not common.folds.isdecimal():
        raise VidsimError(
            f"--folds {common.folds!r}: --train-record-pattern makes one fold; give one number"
        )
    return int(common.folds)


def _only_file(pattern: str) -> Path:
    files = FilePattern.of(pattern).files()
    if len(files) != 1:
        raise VidsimError(
            f"{pattern!r}: {len(files)} files match; each of --train-record-pattern and "
            "--val-record-pattern must name one file, for a part of a fold is one file"
        )
    return files[0]


def _digest(pairs: Pairs) -> str:
    sha = hashlib.sha256()
    for ids in (pairs.id_1, pairs.id_2):
        sha.update(b"\n".join(ids.tolist()))
    sha.update(pairs.sim.astype("<f4").tobytes())
    return sha.hexdigest()
