"""Data files mapped into memory: no more of them at a time than the process may have open.

A map keeps a descriptor as long as it lives, and a data set may have a thousand files where the
system allows 256 open ones. So a file is mapped when it is used, readers of one file share its
map, and the map that was used least recently gives way.
"""

import os
import resource
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vidsim.errors import VidsimError

_SHARE = 2  # one in so many of the descriptors that the system allows
_MOST = 1024  # maps; far below what Linux allows a process (65,530)


class MappedFile(NamedTuple):
    """A file as it was when it was first looked at.

    Attributes:
        path: the file, wherever the process goes.
        size: in bytes.
        changed: time of its last change, in ns.
    """

    path: Path
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "MappedFile":
        """The file as it is now; of size 0 where it is not there."""
        path = Path(os.path.abspath(path))
        try:
            stat = path.stat()
        except OSError:
            return cls(path, 0, 0)
        return cls(path, stat.st_size, stat.st_mtime_ns)


class FileMaps:
    """The maps of a process; may be used from several threads at once."""

    def __init__(self) -> None:
        self._maps: OrderedDict[MappedFile, np.ndarray] = OrderedDict()  # used last comes last
        self._users: Counter[MappedFile] = Counter()
        # A user may be collected at any allocation, also of a thread that holds the lock.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._maps)

    def add_user(self, user: object, files: Iterable[MappedFile]) -> None:
        """Keeps maps of these files, as far as there is space for them, while the user lives."""
        files = tuple(files)
        with self._lock:
            self._users.update(files)
        weakref.finalize(user, self._release, files).atexit = False

    def bytes_of(self, file: MappedFile) -> np.ndarray:
        """The file's bytes, (size,) uint8, to be read from disk as they are looked at.

        Raises:
            VidsimError: the file is gone, or is not as it was.
        """
        with self._lock:
            mapped = self._maps.pop(file, None)
            if mapped is None:
                while len(self._maps) >= _limit():
                    self._maps.popitem(last=False)  # closed once no thread reads from it
                mapped = _mapped(file)
            if self._users[file]:
                self._maps[file] = mapped
            return mapped

    def _release(self, files: Iterable[MappedFile]) -> None:
        with self._lock:
            self._users.subtract(files)
            for file in files:
                if self._users[file] <= 0:
                    del self._users[file]
                    self._maps.pop(file, None)


def _limit() -> int:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if allowed == resource.RLIM_INFINITY else max(1, min(_MOST, allowed // _SHARE))


def _mapped(file: MappedFile) -> np.ndarray:
    try:
        with file.path.open("rb") as opened:
            stat = os.fstat(opened.fileno())
            if (stat.st_size, stat.st_mtime_ns) != (file.size, file.changed):
                raise VidsimError(
                    f"{file.path}: the file was changed while it was in use ({file.size} bytes "
                    f"before, {stat.st_size} now); run the same command again"
                )
            return np.memmap(opened, np.uint8, "r")
    except FileNotFoundError:
        raise VidsimError(
            f"{file.path}: there is no such file any more; it was taken away while it was in use"
        ) from None
    except OSError as error:
        error.filename = error.filename or str(file.path)  # mmap does not say which file
        raise


MAPS = FileMaps()
"""The maps of this process."""
