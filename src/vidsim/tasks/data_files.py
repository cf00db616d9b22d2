"""A data set's files found and opened; what in them is odd, and what is left out, is said.

Nothing here needs TensorFlow or Keras.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.tensors import STREAMS
from vidsim.records.file_pattern import FilePattern
from vidsim.records.labels import read_labels
from vidsim.records.pairs import Pairs, read_pair_file
from vidsim.records.record_log import RecordLog, first_named
from vidsim.records.shown import shown
from vidsim.records.video_table import VideoTable, load_videos
from vidsim.training.configs import RunConfig

POINTWISE = "pointwise/*.tfrecords"
PAIRWISE = "pairwise/pairwise.tfrecords"
LABELS = "pairwise/label.tsv"
TEST = "test_b/test_b.tfrecords"
TAG_LIST = "tag_list.txt"


def open_videos(common: Common, pattern: str | None, default: str) -> VideoTable:
    """The videos of a pattern, or of the default one under the data folder."""
    return open_table(common, pattern or FilePattern(common.data_dir, default))


def open_tags(common: Common, config: RunConfig, videos: VideoTable | None = None) -> TagVocabulary:
    """The tag list; one without tags where there is none and no list was named.

    Args:
        common: the data folder.
        config: --multi-label-file.
        videos: those to train on, where they are known: if they have tags, the list must be there.

    Raises:
        VidsimError: the list is damaged, or it is needed and not there.
    """
    path = config.multi_label_file or common.data_dir / TAG_LIST
    tagged = videos is not None and videos.has(schema.TAG_ID)
    if config.multi_label_file is None and not path.exists() and not tagged:
        return TagVocabulary.none()
    return TagVocabulary.read(path)


def stream_widths(tables: Iterable[VideoTable]) -> dict[str, int]:
    """The width of each stream in some tables, as InputSpec has it; {} where they have none.

    Raises:
        VidsimError: two tables have vectors of different widths.
    """
    tables, widths = list(tables), {}
    for name, stream in STREAMS.items():
        found: dict[int, VideoTable] = {}
        for table in tables:
            width = table.width(stream.field)
            if width is not None:
                found.setdefault(width, table)
        if len(found) > 1:
            (one, first), (other, second) = list(found.items())[:2]
            raise VidsimError(
                f"the {name} of {first} have {one} numbers and those of {second} have {other}; all "
                "that is read together must have one width"
            )
        widths |= dict.fromkeys((name,), next(iter(found))) if found else {}
    return widths


def pair_rows(table: VideoTable, pairs: Pairs) -> np.ndarray:
    """(P, 2) rows of each pair's two videos."""
    return np.stack([table.rows_of(pairs.id_1), table.rows_of(pairs.id_2)], axis=1)


def open_table(common: Common, paths: str | Path | FilePattern | Sequence[Path]) -> VideoTable:
    """The videos of a path, of several, or of a pattern where a text or a FilePattern is given."""
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
