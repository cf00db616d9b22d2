"""A file of match scores to be made: of each sentence with some videos, or the other way round."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vidsim.records.video_table import VideoTable
from vidsim.tasks.job import Job

Mode = Literal["embedding", "two-stage", "joint"]
PLACES = "match_places"  # (N, k) int32, of the other side's rows, the nearest first
SCORES = "match_scores"  # (N, k) float32, the log-odds that they match


@dataclass(frozen=True)
class MatchJob(Job):
    """Scores of each row with its k nearest of the other side.

    Attributes:
        path: see Job.
        table: see Job; of the side that searches.
        rows: see Job.
        other: where the other side stands.
        other_rows: (M,) which of it.
        embeddings: the files of both sides' embeddings, this one first, that are made before.
        texts_search: whether this side are the sentences.
        k: how many of the other side; all, where there are no more.
    """

    other: VideoTable
    other_rows: np.ndarray
    embeddings: tuple[Path, Path]
    texts_search: bool
    k: int

    arrays: ClassVar[tuple[str, ...] | None] = (SCORES, PLACES)
    shard: ClassVar[int | None] = 64
    """Rows in a shard: what a killed inference does again at most."""

    @property
    def count(self) -> int:
        """Of the other side, for each row."""
        return min(self.k, len(self.other_rows))

    @property
    def other_ids(self) -> np.ndarray:
        """(M,) bytes."""
        return self.other.ids[self.other_rows]

    @property
    def hashes(self) -> dict[str, Any]:
        ids = hashlib.sha256(b"\n".join(self.other_ids.tolist())).hexdigest()
        return super().hashes | {"others": self.other.digest, "other_ids": ids, "k": self.count}


def place_name(test_name: str | None, mode: Mode, k_test: int) -> str | None:
    """The folder of a mode's files: None for embeddings of the data folder's own videos."""
    of_mode = {"embedding": None, "two-stage": f"two-stage-{k_test}", "joint": "joint"}[mode]
    parts = [part for part in (test_name, of_mode) if part is not None]
    return "-".join(parts) or None
