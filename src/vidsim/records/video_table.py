"""All videos of a data set as columns, found by id, their frames left in the files.

A million videos take some 200 MB so; their features (52 GB) are read where they lie, only for the
rows of a batch, by FrameReader.
"""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.file_pattern import FilePattern
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.repeats import drop_repeats
from vidsim.records.shown import shown
from vidsim.records.sidecar import INDEX_SUFFIX, indexed_columns
from vidsim.records.tfrecord import HEADER_BYTES

_NAMED = 5  # how many ids or files an error names


@dataclass(frozen=True, eq=False)
class VideoTable:
    """The N videos of one or more TFRecord files; a row is a video.

    Attributes:
        ids: (N,) bytes; decimal strings in the challenge.
        titles: N strings, as they stand in the records.
        tag_values: (V,) int64, the tags of all videos one after the other.
        tag_splits: (N+1,) int64; row i has the tags tag_values[tag_splits[i]:tag_splits[i+1]].
        categories: (N,) int64, -1 where a record has none.
        n_frames: (N,) int32.
        file_no: (N,) int32, the place in `paths` of the file that holds the row.
        paths: the TFRecord files.
        frame_offset: (N,) int64, byte of the file at which the row's first frame begins.
        frame_stride: (N,) int32, bytes from one frame to the next.
        record_no: (N,) int64, the row's record in its file, from 0; differs from the row's place
            where bad or repeated records were left out.
        record_offset: (N,) int64, byte of the file at which the record's payload begins.
        record_bytes: (N,) int64, length of that payload.
        checksums: (N,) uint32, crc32c of the record (frames included) as stored in the file.
        skipped: how many bad records of the files were left out.
    """

    ids: np.ndarray
    titles: list[str]
    tag_values: np.ndarray
    tag_splits: np.ndarray
    categories: np.ndarray
    n_frames: np.ndarray
    file_no: np.ndarray
    paths: tuple[Path, ...]
    frame_offset: np.ndarray
    frame_stride: np.ndarray
    record_no: np.ndarray
    record_offset: np.ndarray
    record_bytes: np.ndarray
    checksums: np.ndarray
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digest(self) -> str:
        """Sha256 (hex) of the content: equal wherever the files lie and whenever they were made.

        Frames count through the records' own checksums, so features that were extracted anew
        change the digest even when no length did.
        """
        sha = hashlib.sha256()
        sha.update(b"\n".join(self.ids.tolist()))
        sha.update("\n".join(self.titles).encode())
        for column, dtype in (
            (self.tag_values, "<i8"),
            (self.tag_splits, "<i8"),
            (self.n_frames, "<i4"),
            (self.checksums, "<u4"),
        ):
            sha.update(column.astype(dtype).tobytes())
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

    def record_error(self, row: int, reason: str) -> RecordError:
        """The error that names a row's record."""
        path, start = self.paths[self.file_no[row]], self.record_offset[row] - HEADER_BYTES
        return RecordError(path, int(self.record_no[row]), int(start), reason)

    def take(self, rows: np.ndarray) -> "VideoTable":
        """The table of these rows, in this order; `rows` (K,) may repeat."""
        rows = np.asarray(rows, np.int64)
        starts, lengths = self.tag_splits[rows], np.diff(self.tag_splits)[rows]
        splits = np.concatenate(([0], np.cumsum(lengths)))
        picked = np.repeat(starts - splits[:-1], lengths) + np.arange(splits[-1])
        return VideoTable(
            ids=self.ids[rows],
            titles=[self.titles[row] for row in rows],
            tag_values=self.tag_values[picked],
            tag_splits=splits,
            categories=self.categories[rows],
            n_frames=self.n_frames[rows],
            file_no=self.file_no[rows],
            paths=self.paths,
            frame_offset=self.frame_offset[rows],
            frame_stride=self.frame_stride[rows],
            record_no=self.record_no[rows],
            record_offset=self.record_offset[rows],
            record_bytes=self.record_bytes[rows],
            checksums=self.checksums[rows],
            skipped=self.skipped,
        )

    @staticmethod
    def concat(tables: Sequence["VideoTable"]) -> "VideoTable":
        """The rows of one or more tables, one table after the other."""
        before = np.cumsum([0, *(len(table.paths) for table in tables)])
        tags_before = np.cumsum([0, *(len(table.tag_values) for table in tables)])

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(table, name) for table in tables])

        splits = [t.tag_splits[1:] + n for t, n in zip(tables, tags_before, strict=False)]
        file_no = [t.file_no + n for t, n in zip(tables, before, strict=False)]
        return VideoTable(
            ids=joined("ids"),
            titles=[title for table in tables for title in table.titles],
            tag_values=joined("tag_values"),
            tag_splits=np.concatenate(([0], *splits)).astype(np.int64),
            categories=joined("categories"),
            n_frames=joined("n_frames"),
            file_no=np.concatenate(file_no).astype(np.int32),
            paths=tuple(path for table in tables for path in table.paths),
            frame_offset=joined("frame_offset"),
            frame_stride=joined("frame_stride"),
            record_no=joined("record_no"),
            record_offset=joined("record_offset"),
            record_bytes=joined("record_bytes"),
            checksums=joined("checksums"),
            skipped=sum(table.skipped for table in tables),
        )

    @cached_property
    def _by_id(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.ids, kind="stable")
        return order, self.ids[order]


def table_from_columns(columns: dict[str, np.ndarray], path: Path) -> VideoTable:
    """The table of one file from what `VideoColumns.arrays` made of it."""
    columns = dict(columns)
    blob = columns.pop("title_bytes").tobytes()
    splits = columns.pop("title_splits").tolist()
    titles = [blob[a:b].decode() for a, b in itertools.pairwise(splits)]
    file_no = np.zeros(len(titles), np.int32)
    return VideoTable(titles=titles, file_no=file_no, paths=(path,), skipped=0, **columns)


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
        VidsimError: nothing matches the pattern, or a file that matched before is gone.
        RecordError: a file is missing or holds no video; or a record is damaged or not a video, or
            two give one id different content, unless the log skips those.
    """
    log = log or RecordLog()
    one = isinstance(paths, str | Path | FilePattern)
    files = video_files(paths) if one else [Path(path) for path in paths]
    if not files:
        raise VidsimError("no TFRecord file with videos was given")
    before = len(log.bad)
    columns = [(indexed_columns(path, cache_dir, log), path) for path in files]
    table = VideoTable.concat([table_from_columns(*item) for item in columns])
    table = drop_repeats(table, log)
    return replace(table, skipped=len(log.bad) - before)
