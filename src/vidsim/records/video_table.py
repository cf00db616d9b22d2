"""All videos of a data set as columns, found by id, their vectors left in the files.

A million videos take some 130 MB so where titles and frames are read; their features (52 GB) are
read where they lie, only for the rows of a batch, by FrameReader.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.field_columns import FieldColumns
from vidsim.records.file_pattern import FilePattern
from vidsim.records.number_fields import NumberColumn, NumbersColumn
from vidsim.records.places import Places
from vidsim.records.record_log import RecordLog
from vidsim.records.repeats import first_rows
from vidsim.records.shown import shown
from vidsim.records.sidecar import INDEX_SUFFIX, indexed_videos
from vidsim.records.stream_field import StreamColumn
from vidsim.records.text_field import TextColumn
from vidsim.records.video_columns import FileVideos

_NAMED = 5  # how many ids or files an error names
_AT_ONCE = 1 << 16  # ids that are Python objects at the same time
_HASHED = (schema.TITLE, schema.TAG_ID, schema.FRAME_FEATURE)


@dataclass(frozen=True, eq=False)
class VideoTable:
    """The N videos of one or more TFRecord files; a row is a video.

    Attributes:
        ids: (N,) bytes; decimal strings in the challenge.
        places: of their records.
        columns: what they say, by field; a column is loaded when it is asked for.
        skipped: how many bad records of the files were left out.
    """

    ids: np.ndarray
    places: Places
    columns: FieldColumns
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The TFRecord files."""
        return self.places.paths

    @property
    def titles(self) -> list[str]:
        """N strings, "" where a video has none; for many videos see `text`."""
        return list(self.text(schema.TITLE))

    @property
    def n_frames(self) -> np.ndarray:
        """(N,) int32."""
        return self.stream(schema.FRAME_FEATURE).count

    def text(self, name: str) -> TextColumn:
        """A field of text."""
        return cast(TextColumn, self.columns[name])

    def stream(self, name: str) -> StreamColumn:
        """A field that is a sequence of vectors."""
        return cast(StreamColumn, self.columns[name])

    def numbers(self, name: str) -> NumbersColumn:
        """A field of lists of integers."""
        return cast(NumbersColumn, self.columns[name])

    def number(self, name: str) -> NumberColumn:
        """A field of one integer a video."""
        return cast(NumberColumn, self.columns[name])

    def has(self, name: str) -> bool:
        """Whether some video of the files says anything of a field."""
        return self.columns.has(name)

    def width(self, name: str) -> int | None:
        """Numbers in a vector of a stream; None where no video of the files has one.

        Raises:
            VidsimError: two files have vectors of different widths; with both.
        """
        return self.columns.width(name)

    @cached_property
    def digest(self) -> str:
        """Sha256 (hex) of the content: equal wherever the files lie and whenever they were made.

        What is in a record counts by the record's own checksum too, so that another transcript or
        features that were extracted anew change the digest.
        """
        sha = hashlib.sha256()
        for start in range(0, len(self), _AT_ONCE):
            joined = b"\n".join(self.ids[start : start + _AT_ONCE].tolist())
            sha.update(b"\n" * bool(start) + joined)
        for name in _HASHED:
            self.columns.load(name).update(sha)
        sha.update(self.places.checksums.astype("<u4").tobytes())
        return sha.hexdigest()

    def rows_of(self, ids: np.ndarray | Sequence[bytes] | Sequence[str]) -> np.ndarray:
        """Rows (K,) int64 of the videos with these K ids.

        Raises:
            VidsimError: some ids are not here; it names the first few and the files.
        """
        wanted = np.asarray(ids, np.bytes_)
        rows = self.find(wanted)
        missing = list(dict.fromkeys(wanted[rows < 0].tolist()))
        if missing:
            names = ", ".join(shown(video_id.decode()) for video_id in missing[:_NAMED])
            more = ", ..." if len(missing) > _NAMED else ""
            raise VidsimError(f"{len(missing)} video ids are not among {self}: {names}{more}")
        return rows

    def find(self, ids: np.ndarray) -> np.ndarray:
        """Rows (K,) int64 of the videos with these K ids, -1 where there is none."""
        if not len(self):
            return np.full(len(ids), -1, np.int64)
        order, ordered = self._by_id
        rows = order[np.minimum(np.searchsorted(ordered, ids), len(self) - 1)]
        return np.where(self.ids[rows] == ids, rows, -1)

    def __str__(self) -> str:
        named = ", ".join(map(str, self.paths[:_NAMED]))
        more = f" and {len(self.paths) - _NAMED} more files" * (len(self.paths) > _NAMED)
        left_out = f" ({self.skipped} bad records skipped)" * bool(self.skipped)
        return f"the {len(self)} videos of {named}{more}{left_out}"

    def take(self, rows: np.ndarray) -> "VideoTable":
        """The table of these rows, in this order; `rows` (K,) may repeat."""
        rows = np.asarray(rows, np.int64)
        places, columns = self.places.take(rows), self.columns.take(rows)
        return VideoTable(self.ids[rows], places, columns, self.skipped)

    @staticmethod
    def concat(tables: Sequence["VideoTable"]) -> "VideoTable":
        """The rows of one or more tables, one table after the other."""
        if len(tables) == 1:
            return tables[0]
        return VideoTable(
            np.concatenate([table.ids for table in tables]),
            Places.concat([table.places for table in tables]),
            FieldColumns.concat(
                [table.columns for table in tables], [table.paths[0] for table in tables]
            ),
            sum(table.skipped for table in tables),
        )

    @cached_property
    def _by_id(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.ids, kind="stable")
        return order, self.ids[order]


def table_of(videos: FileVideos) -> VideoTable:
    """The table of one file."""
    return VideoTable(videos.ids, videos.places, FieldColumns(videos.columns))


def without_repeats(table: VideoTable, log: RecordLog) -> VideoTable:
    """The table with each id once, in its first place.

    Raises:
        RecordError: two records give one id different content, unless the log skips those.
    """
    rows = first_rows(table.ids, table.places, log)
    return table if rows is None else table.take(rows)


def video_files(named: str | Path | FilePattern) -> list[Path]:
    """The files of a path or a pattern (see `FilePattern.of`), pretrain_2 before pretrain_10.

    Raises:
        VidsimError: nothing matches, or a file that matched before is gone.
    """
    for path in lost_files(named):
        raise VidsimError(lost_file(path))
    files = matching_files(named)
    if not files:
        folder = " (it is a folder: add /*.tfrecords)" if Path(str(named)).is_dir() else ""
        raise VidsimError(
            f"no file matches {str(named)!r}{folder}; TFRecord files with videos are expected"
        )
    return files


def matching_files(named: str | Path | FilePattern) -> list[Path]:
    """As `video_files`, but there may be none."""
    files = FilePattern.of(named).files()
    return [path for path in files if not path.name.endswith(INDEX_SUFFIX)]


def lost_files(named: str | Path | FilePattern) -> list[Path]:
    """Files that matched the pattern once and are gone: their index is still there."""
    indexes = FilePattern.of(named).files(INDEX_SUFFIX)
    paths = [path.with_name(path.name.removesuffix(INDEX_SUFFIX)) for path in indexes]
    return [path for path in paths if not path.exists()]


def lost_file(path: Path) -> str:
    """What to say of a file that is gone."""
    return (
        f"{path}: there is no such file, but an index of it: put the file back, or delete "
        f"{path.name}{INDEX_SUFFIX} if it was taken away on purpose"
    )


def load_videos(
    paths: str | Path | FilePattern | Iterable[str | Path],
    cache_dir: Path | None = None,
    log: RecordLog | None = None,
) -> VideoTable:
    """The table of all videos of some TFRecord files, in file order, each id once.

    The index of each file is kept beside it (`<file>.index.npz`), or under `cache_dir` where that
    folder cannot be written, and is made anew when the file has changed. An index remembers the
    bad records too, so that a file with some is never taken for a whole one.

    Args:
        paths: a path, a pattern (see `FilePattern.of`), or several paths.
        cache_dir: where indexes go that cannot lie beside their file.
        log: what to do with a bad record; default: raise it.

    Raises:
        VidsimError: nothing matches the pattern, or a file that matched before is gone; or the
            frames of two files have different widths.
        RecordError: a file is missing or holds no video; or a record is damaged or not a video, or
            two give one id different content, unless the log skips those.
    """
    log = log or RecordLog()
    one = isinstance(paths, str | Path | FilePattern)
    files = video_files(paths) if one else [Path(path) for path in paths]
    if not files:
        raise VidsimError("no TFRecord file with videos was given")
    before = len(log.bad)
    table = VideoTable.concat([table_of(indexed_videos(path, cache_dir, log)) for path in files])
    table.width(schema.FRAME_FEATURE)  # those of all files must be equal
    table = without_repeats(table, log)
    return replace(table, skipped=len(log.bad) - before)
