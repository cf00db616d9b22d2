"""What a task's folds are to finetuning, and where those of a new task lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from vidsim.config import Common

MANIFEST = "folds.json"


def folds_dir(common: Common, task: str) -> Path:
    """`folds/<task>` in the data folder: MANIFEST and a folder fold0, fold1, ... for each fold.

    Those of similarity lie in `pairwise`, where the challenge's fourth place has them.
    """
    return common.data_dir / "folds" / task


def fold_dir(common: Common, task: str, fold: int) -> Path:
    """The folder of one fold of a new task."""
    return folds_dir(common, task) / f"fold{fold}"


class FoldData(Protocol):
    """One fold, read.

    Attributes:
        fold: its number.
        count: training examples.
    """

    @property
    def fold(self) -> int: ...

    @property
    def count(self) -> int: ...

    def validated(self) -> str:
        """Its validation part in words, for the log: "120 pairs, 144 of its 144 videos seen"."""
        ...

    def about(self) -> dict[str, Any]:
        """What it is trained and validated on, for metrics.json: counts; whether it is made up."""
        ...

    def baseline(self) -> dict[str, Any]:
        """What a model scores that has learned nothing, by metric, for metrics.json."""
        ...


class Folds(Protocol):
    """The folds that a finetuning command works on.

    Attributes:
        folds: their numbers, as named by --folds.
        fewest: training examples of the smallest fold there is, whichever folds are named, so that
            a run has the same number of steps alone and together with others.
        settings: what the shape of the task's head depends on, as JSON data, such as a number of
            classes; it is the same for all folds and goes into every checkpoint.
    """

    @property
    def folds(self) -> list[int]: ...

    @property
    def fewest(self) -> int: ...

    @property
    def settings(self) -> dict[str, Any]: ...

    def load(self, fold: int) -> FoldData:
        """Reads one fold."""
        ...

    def hashes(self, fold: int) -> Mapping[str, Any]:
        """Hashes of the fold's contents by name, wherever its files lie: part of a run's identity.

        Files are read when they are asked for first.
        """
        ...

    def widths(self) -> Mapping[str, int]:
        """Numbers in a vector of each stream of the videos, by tensor; {} where there are none."""
        ...

    def titles(self) -> list[str]:
        """The texts that a vocabulary is trained on, the same whichever folds are named."""
        ...
