"""Rated pairs of videos, and the fold files that hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.records.fields import FIELDS, streams_in_place
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.tfrecord import iter_records
from vidsim.records.video_columns import VideoColumns, read_id
from vidsim.records.video_table import VideoTable, table_of
from vidsim.records.wire import FLOAT, Feature, WireError, parse_example


@dataclass(frozen=True, eq=False)
class Pairs:
    """N rated pairs.

    Attributes:
        id_1: (N,) bytes, id of the first video.
        id_2: (N,) bytes, id of the second video.
        sim: (N,) float32, the rating in [0, 1].
    """

    id_1: np.ndarray
    id_2: np.ndarray
    sim: np.ndarray

    def __len__(self) -> int:
        return len(self.sim)

    def videos(self) -> np.ndarray:
        """(V,) bytes, the id of every video in them, once and in order."""
        return np.union1d(self.id_1, self.id_2)

    def take(self, rows: np.ndarray) -> "Pairs":
        """These pairs, in this order."""
        return Pairs(self.id_1[rows], self.id_2[rows], self.sim[rows])

    @staticmethod
    def concat(parts: Sequence["Pairs"]) -> "Pairs":
        """The pairs of one or more parts, one part after the other."""
        return Pairs(
            np.concatenate([part.id_1 for part in parts]),
            np.concatenate([part.id_2 for part in parts]),
            np.concatenate([part.sim for part in parts]),
        )

    @staticmethod
    def from_lists(id_1: list[bytes], id_2: list[bytes], sim: list[float]) -> "Pairs":
        """Pairs from three lists of equal length."""
        return Pairs(
            np.array(id_1, np.bytes_), np.array(id_2, np.bytes_), np.array(sim, np.float32)
        )


def pair_keys(pairs: Pairs) -> list[tuple[bytes, bytes]]:
    """The key of every pair, in order: its two ids, the smaller first.

    (a, b) and (b, a) are one pair, rated twice: cosine similarity does not know which came first.
    """
    ids = zip(pairs.id_1.tolist(), pairs.id_2.tolist(), strict=True)
    return [(one, two) if one <= two else (two, one) for one, two in ids]


def read_pair_file(
    path: str | Path, log: RecordLog | None = None, expected: int | None = None
) -> tuple[Pairs, VideoTable | None]:
    """Read a fold file, whichever of its two kinds it is.

    Args:
        path: the file.
        log: what to do with a bad record; default: raise it.
        expected: how many pairs were written into it, where that is known.

    Returns:
        The pairs in file order, and for a self-contained file the table of its videos: each id
        once, in the order of first appearance, with the frames where they stand in this file.
        A file of ids and ratings only has no table.

    Raises:
        RecordError: a record is damaged, is not a pair, or is of another kind than the first, or
            there are more or fewer than expected, unless the log skips those; or not a single pair
            could be read.
    """
    path, own = Path(path), RecordLog(log is not None and log.skip)
    rated: list[tuple[bytes, bytes, float]] = []
    videos = VideoColumns()
    known: set[bytes] = set()
    whole: bool | None = None
    in_place = streams_in_place("_1") | streams_in_place("_2")
    for record in iter_records(path, own, expected):
        try:
            features = parse_example(record.payload, in_place)
            has_videos = any(name + "_1" in features for name in FIELDS)
            if whole not in (None, has_videos):
                raise WireError("some pairs of this file hold their videos and some do not")
            ids = read_id(features, schema.ID_1), read_id(features, schema.ID_2)
            rating = _rating(features)
            for suffix, video_id in zip(("_1", "_2"), ids, strict=True):
                if has_videos and video_id not in known:
                    videos.add(record, features, suffix)
                    known.add(video_id)
            rated.append((*ids, rating))
            whole = has_videos
        except WireError as error:
            own.add_bad(RecordError(path, record.number, record.start, str(error)))
    if log is not None:
        log.extend(own)
    if not rated:
        raise own.bad[0]
    id_1, id_2, sim = (list(column) for column in zip(*rated, strict=True))
    pairs = Pairs.from_lists(id_1, id_2, sim)
    return pairs, table_of(videos.videos(path)) if whole else None


def _rating(features: dict[str, Feature]) -> float:
    kind, values = features.get(schema.SIM, Feature("nothing", ()))
    if kind != FLOAT or len(values) != 1 or not 0 <= float(values[0]) <= 1:
        shown = ", ".join(str(value) for value in values[:3])
        raise WireError(
            f"{schema.SIM} is {kind} [{shown}]; a list of one float in [0, 1] is expected"
        )
    return float(values[0])
