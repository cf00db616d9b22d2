"""Features that are on disk: a folder with a file for each video, or one archive of all.

A video's features are read when it is written, so memory does not grow with their number.
"""

import io
import json
import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.records.given_frames import frames_of
from vidsim.records.shown import shown
from vidsim.tables.id_index import IdIndex, packed
from vidsim.tables.npy_files import array_of, mapped_member

FAILED_FILE = "failed.jsonl"
FEATURES, TIMES, IDS, SPLITS = "features", "times", "ids", "splits"
_ENDINGS = (".npy", ".npz")
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, struct.error)


class VideoFeatures(NamedTuple):
    """Of one video: (n, d) float16 frames, None where n is 0; (n,) seconds where they are known."""

    frames: np.ndarray | None
    times: np.ndarray | None


class Features(Protocol):
    """The features of N videos.

    Attributes:
        path: the folder or the archive.
        ids: finds the N videos.
        origin: what made the features, where that is stated.
        failed: videos without features by id, each with a reason, where that is stated.
    """

    @property
    def path(self) -> Path: ...
    @property
    def ids(self) -> IdIndex: ...
    @property
    def origin(self) -> FeatureOrigin | None: ...
    @property
    def failed(self) -> Mapping[bytes, str]: ...

    def read(self, place: int) -> VideoFeatures:
        """The features of a video; raises ValueError where there are none that can be used."""
        ...

    def file(self, place: int) -> Path:
        """The file that they are in."""
        ...

    def stamp(self, place: int) -> tuple[int, int]:
        """Size and time of that file, which tell whether it was changed."""
        ...


def open_features(path: Path, scratch: Path) -> Features:
    """The features of --features.

    Args:
        path: a folder, or an archive .npz.
        scratch: a folder for what is unpacked of a compressed archive.

    Raises:
        VidsimError: there is nothing of the kind.
    """
    if path.is_dir():
        return FolderFeatures(path)
    if path.suffix.lower() == ".npz" and path.is_file():
        return ArchiveFeatures(path, scratch)
    raise VidsimError(
        f"--features {path}: accepted is a folder of ID.npy or ID.npz, or one .npz with {IDS}, "
        f"{SPLITS} and {FEATURES}"
    )


class FolderFeatures:
    """A folder of ID.npy, an array (n, d), or ID.npz with `features` (n, d) and maybe `times` (n,).

    Raises:
        VidsimError: no such file in it, two files of one id, or what vidsim noted there is damaged.
    """

    def __init__(self, path: Path):
        self.path, self.origin = path, FeatureOrigin.read(path)
        names: dict[str, list[bytes]] = {ending: [] for ending in _ENDINGS}
        with os.scandir(path) as entries:
            for entry in entries:
                stem, ending = os.path.splitext(entry.name)
                if ending in names and not entry.name.startswith("."):
                    names[ending].append(os.fsencode(stem))
        ids = sorted(names[".npy"] + names[".npz"])
        if not ids:
            raise VidsimError(f"{path}: no ID.npy and no ID.npz; ID is the id of a video")
        self.ids = IdIndex(packed(ids))
        again = np.flatnonzero(self.ids.ids[1:] == self.ids.ids[:-1])
        if len(again):
            stem = os.fsdecode(ids[int(again[0])])
            raise VidsimError(f"{path}: {stem}.npy and {stem}.npz; one of them must go")
        self._zipped = IdIndex(packed(names[".npz"])).find(self.ids.ids) >= 0
        self.failed = _failed(path / FAILED_FILE)

    def read(self, place: int) -> VideoFeatures:
        try:
            with open(self._name(place), "rb", buffering=0) as file:
                data = file.readall()
            zipped = self._zipped[place]
            array, times = _members(data) if zipped else (array_of(data), None)
        except _DAMAGE as error:
            raise ValueError(f"cannot be read ({error})") from None
        return _checked(array, times)

    def file(self, place: int) -> Path:
        return Path(self._name(place))

    def stamp(self, place: int) -> tuple[int, int]:
        stat = os.stat(self._name(place))
        return stat.st_size, stat.st_mtime_ns

    def _name(self, place: int) -> str:
        """The file's name as text: a Path of each takes as long as the system's call."""
        ending = _ENDINGS[int(self._zipped[place])]
        return f"{self.path}/{os.fsdecode(self.ids.ids[place])}{ending}"


class ArchiveFeatures:
    """One .npz of all videos.

    It has `ids` (N,), `features` (F, d) of all frames, and `splits` (N + 1,): video i has the
    frames from splits[i] to splits[i + 1]. Or `features` are (N, n, d), without splits. They are
    left in the file; if it is compressed, they are unpacked once.

    Raises:
        VidsimError: arrays are missing, damaged or do not go together, or an id is there twice.
    """

    def __init__(self, path: Path, scratch: Path):
        self.path, self.origin, self.failed = path, None, dict[bytes, str]()
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                missing = [name for name in (IDS, FEATURES) if name not in arrays.files]
                if missing:
                    raise VidsimError(
                        f"{path}: no {' and no '.join(missing)}; there are "
                        f"{', '.join(arrays.files)}. Accepted are {IDS}, {SPLITS} and {FEATURES}"
                    )
                ids = arrays[IDS]
                splits = arrays[SPLITS] if SPLITS in arrays.files else None
            self._features = mapped_member(path, FEATURES, scratch)
            stat = path.stat()
        except _DAMAGE as error:
            raise VidsimError(f"{path}: cannot be read ({error})") from None
        self._stamp = stat.st_size, stat.st_mtime_ns
        self.ids = IdIndex(self._ids(ids))
        if ((first := self.ids.first()) != np.arange(len(first))).any():
            place = int(np.flatnonzero(first != np.arange(len(first)))[0])
            raise VidsimError(f"{path}: id {shown(self.ids.ids[place].decode())} twice")
        self._splits = self._checked_splits(splits)

    def read(self, place: int) -> VideoFeatures:
        if self._splits is None:
            return _checked(self._features[place], None)
        start, stop = self._splits[place : place + 2].tolist()
        return _checked(self._features[start:stop], None)

    def file(self, place: int) -> Path:
        return self.path

    def stamp(self, place: int) -> tuple[int, int]:
        return self._stamp

    def _ids(self, ids: np.ndarray) -> np.ndarray:
        if ids.ndim == 1 and len(ids) and ids.dtype.kind in "US":
            return np.char.encode(ids, "utf-8") if ids.dtype.kind == "U" else ids
        if ids.ndim == 1 and len(ids) and ids.dtype.kind in "iu":
            return ids.astype(np.bytes_)
        raise VidsimError(
            f"{self.path}: {IDS} is {ids.dtype} {ids.shape}; (N,) texts or integers are expected"
        )

    def _checked_splits(self, splits: np.ndarray | None) -> np.ndarray | None:
        shape, videos = self._features.shape, len(self.ids)
        if splits is None:
            if len(shape) == 3 and shape[0] == videos:
                return None
            raise VidsimError(
                f"{self.path}: {FEATURES} is {shape} for {videos} ids, and there is no {SPLITS}; "
                "without it (N, n, d) is expected"
            )
        right = splits.dtype.kind in "iu" and splits.shape == (videos + 1,) and len(shape) == 2
        if right:
            splits = splits.astype(np.int64)
            right = splits[0] == 0 and splits[-1] == shape[0] and (np.diff(splits) >= 0).all()
        if not right:
            raise VidsimError(
                f"{self.path}: {SPLITS} {splits.dtype} {splits.shape} do not go with {videos} "
                f"{IDS} and {FEATURES} {shape}; ({videos + 1},) integers are expected that rise "
                "from 0 to the number of frames, and features (frames, d)"
            )
        return splits


def _members(data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        if FEATURES not in arrays.files:
            raise ValueError(
                f"there is {', '.join(arrays.files) or 'nothing'}; {FEATURES} is expected"
            )
        return arrays[FEATURES], arrays[TIMES] if TIMES in arrays.files else None


def _checked(array: np.ndarray, times: np.ndarray | None) -> VideoFeatures:
    frames = frames_of(array)
    if times is None or frames is None:
        return VideoFeatures(frames, None)
    if (
        times.shape != (len(frames),)
        or times.dtype.kind not in "fiu"
        or not np.isfinite(times).all()
    ):
        raise ValueError(
            f"{TIMES} is {times.dtype} {times.shape}; ({len(frames)},) finite seconds are expected"
        )
    return VideoFeatures(frames, times)


def _failed(path: Path) -> dict[bytes, str]:
    """The videos of a failed.jsonl, with the reason for which each has no features."""
    found: dict[bytes, str] = {}
    if not path.exists():
        return found
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            found[str(entry["id"]).encode()] = str(entry["reason"])
        except (ValueError, TypeError, KeyError):
            raise VidsimError(
                f"{path}:{number}: {shown(line)}; an object with id and reason is expected"
            ) from None
    return found
