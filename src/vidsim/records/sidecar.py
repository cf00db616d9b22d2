"""The index of a TFRecord file, kept on disk so that a file is read whole only once.

An index holds the columns of the file's videos. It is known by the file's size and time of
change, so that it can be left lying about: a stale or damaged one is simply made again.
"""

import hashlib
import logging
import os
import zipfile
from pathlib import Path

import numpy as np

from vidsim.files import atomic_file
from vidsim.records.record_error import RecordError
from vidsim.records.video_columns import read_video_columns

INDEX_FORMAT = 1  # raise it when the columns change
_KEY = "index_key"
_LOG = logging.getLogger(__name__)


def indexed_columns(path: Path, cache_dir: Path | None) -> dict[str, np.ndarray]:
    """The columns of a file's videos, from its index or else from the file, which is then indexed.

    Raises:
        RecordError: the file is missing or damaged, or holds something else than videos.
    """
    try:
        stat = path.stat()
    except OSError:
        raise RecordError(path, 0, 0, "there is no such file") from None
    key = np.array([INDEX_FORMAT, stat.st_size, stat.st_mtime_ns], np.int64)
    places = _places(path, cache_dir)
    for place in places:
        columns = _load(place, key)
        if columns is not None:
            return columns
    columns = read_video_columns(path)
    if not any(_save(place, key, columns) for place in places):
        _LOG.warning("%s: its index could not be kept; it is made again each time", path)
    return columns


def _places(path: Path, cache_dir: Path | None) -> list[Path]:
    places = [path.with_name(f"{path.name}.index.npz")]
    if cache_dir is not None:
        where = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
        places.append(Path(cache_dir) / f"{path.name}-{where}.index.npz")
    return places


def _load(place: Path, key: np.ndarray) -> dict[str, np.ndarray] | None:
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if not np.array_equal(stored[_KEY], key):
                return None
            return {name: stored[name] for name in stored.files if name != _KEY}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _save(place: Path, key: np.ndarray, columns: dict[str, np.ndarray]) -> bool:
    try:
        with atomic_file(place) as file:
            np.savez(file, **{_KEY: key}, **columns)  # type: ignore[arg-type]
    except OSError:
        return False
    return True
