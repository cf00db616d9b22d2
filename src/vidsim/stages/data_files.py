"""Records and ratings opened for a stage, which says what in them is odd and what it left out.

Nothing here needs TensorFlow.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.records.file_pattern import FilePattern
from vidsim.records.labels import read_labels
from vidsim.records.pairs import Pairs, read_pair_file
from vidsim.records.record_log import RecordLog, first_named
from vidsim.records.shown import shown
from vidsim.records.video_table import VideoTable, load_videos


def open_table(common: Common, paths: str | Path | FilePattern) -> VideoTable:
    """The videos of a path, or of a pattern where a text or a FilePattern is given."""
    log = RecordLog(common.on_bad_record == "skip")
    table = load_videos(paths, common.save_dir / "index", log)
    _say(log.lines())
    return table


def open_pairs(
    common: Common, path: Path, expected: int | None = None
) -> tuple[Pairs, VideoTable | None]:
    """The pairs of a fold file, and its videos if it holds them; `expected` pairs were written."""
    log = RecordLog(common.on_bad_record == "skip")
    pairs, table = read_pair_file(path, log, expected)
    _say(log.lines())
    return pairs, table


def open_ratings(labels: Path, table: VideoTable) -> tuple[Pairs, np.ndarray]:
    """The ratings of a label.tsv, and which of them have both their videos.

    Only where bad records were skipped may a rated video be missing.

    Args:
        labels: the file.
        table: the videos.

    Returns:
        All N pairs, and (N, 2) the rows of their videos, -1 for a video that was skipped.

    Raises:
        VidsimError: a line is not as accepted or names an id that no video has; or no pair is left.
    """
    pairs = read_labels(labels)
    rows = find_pairs(table, pairs)
    missing = unknown_videos(labels, pairs, rows)
    if missing and (not table.skipped or len(missing) == len(pairs)):
        more = f"; {len(missing) - 1} more lines are like that" if len(missing) > 1 else ""
        raise VidsimError(f"{missing[0]} among {table}{more}")
    if missing:
        _say([f"LEFT OUT {len(missing)} of {len(pairs)} rated pairs, for lack of a skipped video:"])
        _say(first_named(missing))
    return pairs, rows


def find_pairs(table: VideoTable, pairs: Pairs) -> np.ndarray:
    """(N, 2) rows of the two videos of each pair, -1 for a video that is not there."""
    return np.stack([table.find(pairs.id_1), table.find(pairs.id_2)], axis=1)


def complete(rows: np.ndarray) -> np.ndarray:
    """Which pairs have both their videos, ascending; `rows` as `find_pairs` finds them."""
    return np.flatnonzero((rows >= 0).all(axis=1))


def unknown_videos(labels: Path, pairs: Pairs, rows: np.ndarray) -> list[str]:
    """Each line of a label.tsv that names a video which is not there: its number and the ids.

    Args:
        labels: the file.
        pairs: its N ratings.
        rows: (N, 2) of their videos, as `find_pairs` finds them.
    """
    found = []
    for row in np.flatnonzero((rows < 0).any(axis=1)).tolist():
        ids = (pairs.id_1[row].decode(), pairs.id_2[row].decode())
        names = [name for name, place in zip(ids, rows[row], strict=True) if place < 0]
        found.append(f"{labels}:{row + 1}: no video {' nor '.join(map(shown, names))}")
    return found


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)
