"""The index of a TFRecord file, kept on disk so that a file is read whole only once.

An index holds the columns of the file's videos, and which records are bad and were left out. It is
known by the file's size and time of change, so that it can be left lying about: a stale or damaged
one is simply made again. A stale one still tells when videos are lost at the file's end, which the
file itself cannot tell.
"""

import hashlib
import logging
import os
from functools import cached_property
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.columns import Column
from vidsim.records.field_columns import ColumnSource
from vidsim.records.index_file import IndexFile, read_index, write_index
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.video_columns import FileVideos
from vidsim.records.video_file import read_videos

INDEX_SUFFIX = ".index.npz"
_LOG = logging.getLogger(__name__)


def indexed_videos(path: Path, cache_dir: Path | None, log: RecordLog) -> FileVideos:
    """The videos of a file, from its index or else from the file, which is then indexed.

    Raises:
        RecordError: the file is missing or holds no video; or a record is damaged or is not a
            video, or some are lost, unless the log skips those.
    """
    try:
        stat = path.stat()
    except OSError:
        raise RecordError(path, 0, 0, "there is no such file") from None
    for place in _places(path, cache_dir):
        index = read_index(place)
        if index is not None and (index.size, index.changed) == (stat.st_size, stat.st_mtime_ns):
            log.extend(index.log(path))
            return _from_index(index, path, cache_dir, log.skip)
    own = RecordLog(log.skip)
    videos = _read_and_index(path, cache_dir, own)
    log.extend(own)
    for place in _places(path, cache_dir):
        index = read_index(place)
        if index is not None and (index.size, index.changed) == (stat.st_size, stat.st_mtime_ns):
            return _from_index(index, path, cache_dir, log.skip)  # its fields leave the memory
    return videos


def find_lost(path: Path, videos: FileVideos, cache_dir: Path | None, log: RecordLog) -> None:
    """Compare a file that was read with an index of it: is it the same but for a missing end?

    Args:
        path: the file.
        videos: what is in it.
        cache_dir: where its index may be, if not beside it.
        log: with the file's bad records; takes note of the loss.

    Raises:
        RecordError: the end is missing, and the log does not skip that.
    """
    bad = [error for error in log.bad if error.path == path]
    if any(error.ends_file for error in bad):
        return
    numbers = videos.places.record_no
    records = 1 + max([int(numbers[-1]), *(error.record for error in bad)])
    here = _content(numbers, videos.places.checksums)
    for place in _places(path, cache_dir):
        index = read_index(place)
        if index is None:
            continue
        known = index.records["record_no"]
        lost = int((known >= records).sum())
        if lost and np.isin(here, _content(known, index.records["checksums"])).all():
            reason = (
                f"the file ends after {records} records, but its index knows {lost} more videos: "
                f"truncated between two records; fetch it again, or delete {place} if it was "
                "shortened on purpose"
            )
            log.add_bad(RecordError(path, records, path.stat().st_size, reason))
            return


class _Indexed:
    """A `ColumnSource` of an index; what the index cannot tell is read from the file again.

    That is a field that was unknown when the index was made, or a member that is damaged.
    """

    def __init__(self, index: IndexFile, path: Path, cache_dir: Path | None, skip: bool):
        self._index, self._path, self._cache_dir, self._skip = index, path, cache_dir, skip
        self._stated: dict[str, tuple[bool, int | None]] = {
            name: (entry["filled"], None)
            for name, entry in index.header.items()
            if not (entry["filled"] and entry["width"])  # a width is believed with its vectors
        }

    def has(self, name: str) -> bool:
        return self._says(name)[0]

    def width(self, name: str) -> int | None:
        return self._says(name)[1]

    def load(self, name: str) -> Column:
        column = self._index.column(name)
        return self._read_again.load(name) if column is None else column

    def _says(self, name: str) -> tuple[bool, int | None]:
        if name not in self._stated:
            column = self.load(name)
            self._stated[name] = column.filled, getattr(column, "width", None)
        return self._stated[name]

    @cached_property
    def _read_again(self) -> ColumnSource:
        """Raises VidsimError where the file does not hold the same videos any more."""
        log, index = RecordLog(self._skip), self._index
        stat = self._path.stat() if self._path.exists() else None
        same = stat is not None and (stat.st_size, stat.st_mtime_ns) == (index.size, index.changed)
        if same:
            videos = _read_and_index(self._path, self._cache_dir, log)
            numbers = videos.places.record_no
            if np.array_equal(numbers, index.records["record_no"]):
                return videos.columns
        raise VidsimError(
            f"{self._path}: the file or its index was changed while it was in use; run the same "
            "command again"
        )


def _from_index(index: IndexFile, path: Path, cache_dir: Path | None, skip: bool) -> FileVideos:
    source = _Indexed(index, path, cache_dir, skip)
    return FileVideos(index.ids, index.places(path), source)


def _read_and_index(path: Path, cache_dir: Path | None, log: RecordLog) -> FileVideos:
    """Reads the file and keeps an index of it where that can be done."""
    stat = path.stat()
    videos = read_videos(path, log)
    find_lost(path, videos, cache_dir, log)
    key = stat.st_size, stat.st_mtime_ns
    if not any(write_index(place, key, videos, log) for place in _places(path, cache_dir)):
        _LOG.warning("%s: its index could not be kept; it is made again each time", path)
    return videos


def _content(numbers: np.ndarray, checksums: np.ndarray) -> np.ndarray:
    """A number for each video: its record and that record's checksum."""
    return numbers << 32 | checksums.astype(np.int64)


def _places(path: Path, cache_dir: Path | None) -> list[Path]:
    places = [path.with_name(f"{path.name}{INDEX_SUFFIX}")]
    if cache_dir is not None:
        where = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
        places.append(Path(cache_dir) / f"{path.name}-{where}{INDEX_SUFFIX}")
    return places
