"""A file of predictions to be made: of which examples, and by which hashes they are known."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from vidsim.records.video_table import VideoTable


@dataclass(frozen=True)
class Job:
    """Some videos of a table to predict something of, into one file.

    A task whose examples are no videos, such as sentences, has a subclass with other `ids` and
    `hashes`; a file of another kind beside the task's own is a subclass with `arrays`.

    Attributes:
        path: the .npz that is made.
        table: where the videos stand.
        rows: (N,) which of them.
    """

    path: Path
    table: VideoTable
    rows: np.ndarray

    arrays: ClassVar[tuple[str, ...] | None] = None
    """Of the file; None: those of the task."""
    shard: ClassVar[int | None] = None
    """Examples in a shard, which is what a killed inference does again at most; None: as usual."""

    @property
    def ids(self) -> np.ndarray:
        """(N,) bytes: the name of each example, as the file has it."""
        return self.table.ids[self.rows]

    @property
    def hashes(self) -> dict[str, Any]:
        """Which examples: hashes of the table and of the ids, and their number."""
        ids = hashlib.sha256(b"\n".join(self.ids.tolist())).hexdigest()
        return {"videos": self.table.digest, "ids": ids, "count": len(self.ids)}


class Predictions(Protocol):
    """What one inference command is to predict.

    Attributes:
        folds: their numbers, as named by --folds.
        name: of other test videos than the data folder's own (--out or of --test-b-file): a folder
            of that name takes the files. None for the data folder's own.
    """

    @property
    def folds(self) -> list[int]: ...

    @property
    def name(self) -> str | None: ...

    def jobs(self, run: str, fold: int) -> dict[str, Job]:
        """The files that one run's checkpoint of a fold is to make, by what they hold.

        Args:
            run: the recipe, with its run name where it has one.
            fold: its number.
        """
        ...
