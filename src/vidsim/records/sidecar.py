"""The index of a TFRecord file, kept on disk so that a file is read whole only once.

An index holds the columns of the file's videos, and which records are bad and were left out. It is
known by the file's size and time of change, so that it can be left lying about: a stale or damaged
one is simply made again. A stale one still tells when videos are lost at the file's end, which the
file itself cannot tell.
"""

import hashlib
import json
import logging
import os
import zipfile
from pathlib import Path

import numpy as np

from vidsim.files import atomic_file
from vidsim.records.index_checks import are_columns, lie_within
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.video_file import read_video_columns

INDEX_FORMAT = 2  # raise it when the columns change
INDEX_SUFFIX = ".index.npz"
_KEY, _BAD = "index_key", "bad_records"
_LOG = logging.getLogger(__name__)


def indexed_columns(path: Path, cache_dir: Path | None, log: RecordLog) -> dict[str, np.ndarray]:
    """The columns of a file's videos, from its index or else from the file, which is then indexed.

    Raises:
        RecordError: the file is missing or holds no video; or a record is damaged or is not a
            video, or some are lost, unless the log skips those.
    """
    try:
        stat = path.stat()
    except OSError:
        raise RecordError(path, 0, 0, "there is no such file") from None
    key = [INDEX_FORMAT, stat.st_size, stat.st_mtime_ns]
    places = _places(path, cache_dir)
    for place in places:
        stored = _load(place)
        if stored is not None and stored.pop(_KEY).tolist() == key:
            bad = _unpack_bad(path, stored.pop(_BAD))
            if lie_within(stored, stat.st_size):
                log.extend(bad)
                return stored
    own = RecordLog(log.skip)
    columns = read_video_columns(path, own)
    find_lost(path, columns, cache_dir, own)
    stored = {_KEY: np.array(key, np.int64), _BAD: _pack_bad(own), **columns}
    if not any(_save(place, stored) for place in places):
        _LOG.warning("%s: its index could not be kept; it is made again each time", path)
    log.extend(own)
    return columns


def find_lost(
    path: Path, columns: dict[str, np.ndarray], cache_dir: Path | None, log: RecordLog
) -> None:
    """Compare a file that was read with an index of it: is it the same but for a missing end?

    Args:
        path: the file.
        columns: its videos.
        cache_dir: where its index may be, if not beside it.
        log: with the file's bad records; takes note of the loss.

    Raises:
        RecordError: the end is missing, and the log does not skip that.
    """
    bad = [error for error in log.bad if error.path == path]
    if any(error.ends_file for error in bad):
        return
    records = 1 + max([int(columns["record_no"][-1]), *(error.record for error in bad)])
    for place in _places(path, cache_dir):
        stored = _load(place)
        lost = 0 if stored is None else int((stored["record_no"] >= records).sum())
        if stored is not None and lost and np.isin(_content(columns), _content(stored)).all():
            reason = (
                f"the file ends after {records} records, but its index knows {lost} more videos: "
                f"truncated between two records; fetch it again, or delete {place} if it was "
                "shortened on purpose"
            )
            log.add_bad(RecordError(path, records, path.stat().st_size, reason))
            return


def _content(columns: dict[str, np.ndarray]) -> np.ndarray:
    """A number for each video: its record and that record's checksum."""
    return columns["record_no"] << 32 | columns["checksums"].astype(np.int64)


def _places(path: Path, cache_dir: Path | None) -> list[Path]:
    places = [path.with_name(f"{path.name}{INDEX_SUFFIX}")]
    if cache_dir is not None:
        where = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
        places.append(Path(cache_dir) / f"{path.name}-{where}{INDEX_SUFFIX}")
    return places


def _pack_bad(log: RecordLog) -> np.ndarray:
    bad = [(error.record, error.offset, error.reason) for error in log.bad]
    return np.frombuffer(json.dumps(bad).encode(), np.uint8)


def _unpack_bad(path: Path, packed: np.ndarray) -> RecordLog:
    log = RecordLog(skip=True)
    for record, offset, reason in json.loads(packed.tobytes()):
        log.add_bad(RecordError(path, record, offset, reason))
    return log


def _load(place: Path) -> dict[str, np.ndarray] | None:
    """What stands in an index of the present format."""
    try:
        with zipfile.ZipFile(place) as archive:  # savez compresses nothing
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                return None
        with place.open("rb") as file, np.load(file, allow_pickle=False) as opened:
            stored = {name: opened[name] for name in opened.files}
        _unpack_bad(place, stored[_BAD])
        columns = {name: stored[name] for name in stored.keys() - {_KEY, _BAD}}
        return stored if stored[_KEY][0] == INDEX_FORMAT and are_columns(columns) else None
    except Exception:  # zipfile, numpy and json have a dozen kinds for damaged bytes
        return None


def _save(place: Path, stored: dict[str, np.ndarray]) -> bool:
    try:
        with atomic_file(place) as file:
            np.savez(file, **stored)  # type: ignore[arg-type]
    except OSError:
        return False
    return True
