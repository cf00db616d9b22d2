"""Files that are there whole or not at all: written aside, flushed to disk, renamed.

What is written aside is locked as long as its process lives. The next writer of the same name can
therefore tell what a killed process left from what a living one is writing, and removes it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{32}\.tmp")


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for writing; it appears, or replaces the old one, only if the block succeeds.

    The bytes go to a temporary name in the same folder (made if need be), are forced to disk and
    then renamed, so that a reader, a crash or a full disk never meets half a file.
    """
    with _aside(path, Path.touch) as temporary:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync(path.parent)


@contextlib.contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one to write into; renamed into place when the block ends well.

    A folder cannot be renamed over another: an old one is renamed away first. What must outlive a
    kill between the two renames takes a name of its own each time (see TrainingStates).
    """
    with _aside(folder, Path.mkdir) as aside:
        yield aside
        for path in aside.rglob("*"):
            _sync(path)
        _sync(aside)
        if folder.exists():
            with _aside(folder, Path.mkdir) as old:
                os.replace(folder, old)
                try:
                    os.replace(aside, folder)
                except OSError:
                    os.replace(old, folder)
                    raise
        else:
            os.replace(aside, folder)
        _sync(folder.parent)


def is_leftover(path: Path) -> bool:
    """Whether a name is one that files are written under before they are renamed."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Removes what killed processes left in a folder while they wrote `name`, or anything."""
    paths = list(folder.iterdir()) if folder.is_dir() else []
    for path in paths:
        found = _TEMPORARY.fullmatch(path.name)
        if found is None or name not in (None, found[1]):
            continue
        with contextlib.suppress(FileNotFoundError), _opened(path) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # its process is alive, or there are no locks to tell
            if _is_still(path, handle):
                _remove(path)


def write_json(path: Path, content: Any) -> None:
    """Writes `as_json` atomically."""
    with atomic_file(path) as file:
        file.write(as_json(content).encode())


def as_json(content: Any) -> str:
    """Indented JSON: numpy's numbers as numbers, other objects as their text."""
    return json.dumps(content, indent=2, ensure_ascii=False, default=_plain) + "\n"


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    """What JSON has for an object: numbers and lists of numpy's arrays, else its text."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)


@contextlib.contextmanager
def _aside(target: Path, create: Callable[[Path], None]) -> Iterator[Path]:
    """A new file or folder beside the target, locked; removed in the end unless renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target.parent, target.name)
    path = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        handle = _create_locked(path, create)
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(_remove, path)
                yield path
        finally:
            os.close(handle)
    except OSError as error:
        error.filename = error.filename or str(target)  # write and fsync do not say which file
        raise


def _create_locked(path: Path, create: Callable[[Path], None]) -> int:
    """Again and again where another process took it for a leftover before it was locked."""
    while True:
        create(path)
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_still(path, handle):
            return handle
        os.close(handle)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    return path.exists() and os.path.samestat(path.stat(), os.fstat(handle))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with _opened(path) as handle:
        os.fsync(handle)
