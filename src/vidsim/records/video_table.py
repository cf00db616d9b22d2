"""All videos of a data set as columns, found by id, their frames left in the files.

A million videos take some 200 MB so; their features (52 GB) are read where they lie, only for the
rows of a batch, by FrameReader.
"""

import glob
import hashlib
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.sidecar import indexed_columns

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
        checksums: (N,) uint32, crc32c of the record (frames included) as stored in the file.
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
    checksums: np.ndarray

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
        """Rows (K,) int64 of the videos with these K ids; of an id in several files, the first.

        Raises:
            VidsimError: some ids are not here; it names the first few and the files.
        """
        wanted = np.asarray(ids, np.bytes_)
        if not len(self):
            missing = np.ones(len(wanted), bool)
            rows = np.zeros(len(wanted), np.int64)
        else:
            order, ordered = self._by_id
            rows = order[np.minimum(np.searchsorted(ordered, wanted), len(self) - 1)]
            missing = self.ids[rows] != wanted
        if missing.any():
            first = list(dict.fromkeys(wanted[missing].tolist()))
            names = ", ".join(video_id.decode() for video_id in first[:_NAMED])
            more = ", ..." if len(first) > _NAMED else ""
            raise VidsimError(
                f"{len(first)} video ids are not among the {len(self)} videos of "
                f"{_file_names(self.paths)}: {names}{more}"
            )
        return rows

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
            checksums=self.checksums[rows],
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
            checksums=joined("checksums"),
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
    return VideoTable(titles=titles, file_no=file_no, paths=(path,), **columns)


def video_files(pattern: str | Path) -> list[Path]:
    """The files that match a path or a glob pattern, pretrain_2 before pretrain_10.

    Raises:
        VidsimError: nothing matches.
    """
    if Path(pattern).is_file():
        return [Path(pattern)]
    found = [Path(name) for name in glob.glob(str(pattern), recursive=True)]
    files = sorted((path for path in found if path.is_file()), key=_natural)
    if not files:
        raise VidsimError(f"no file matches {pattern}; TFRecord files with videos are expected")
    return files


def load_videos(
    paths: str | Path | Iterable[str | Path], cache_dir: Path | None = None
) -> VideoTable:
    """The table of all videos of some TFRecord files, in file order.

    The index of each file is kept beside it (`<file>.index.npz`), or under `cache_dir` where that
    folder cannot be written, and is made anew when the file has changed.

    Args:
        paths: a path, a glob pattern, or several paths.
        cache_dir: where indexes go that cannot lie beside their file.

    Raises:
        VidsimError: nothing matches the pattern.
        RecordError: a file is missing or damaged, a record is not a video, an id stands twice
            in one file.
    """
    files = video_files(paths) if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not files:
        raise VidsimError("no TFRecord file with videos was given")
    return VideoTable.concat(
        [table_from_columns(indexed_columns(path, cache_dir), path) for path in files]
    )


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


def _file_names(paths: tuple[Path, ...]) -> str:
    more = f" and {len(paths) - _NAMED} more files" if len(paths) > _NAMED else ""
    return ", ".join(map(str, paths[:_NAMED])) + more
