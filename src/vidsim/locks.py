"""Locks between processes. The system drops one with its process, however that process ended."""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from vidsim.errors import FolderInUse, VidsimError

_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextlib.contextmanager
def sole_process(folder: Path) -> Iterator[None]:
    """Lets one process at a time work on a folder; the lock is a file beside it, `.<name>.lock`.

    Where that file may not be written, neither may the folder, and nobody needs a lock.

    Raises:
        FolderInUse: another process holds the lock; it is named.
        VidsimError: where the folder is to be, there is a file.
    """
    folder = folder.absolute()
    path = folder.with_name(f".{folder.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise VidsimError(
            f"{path.parent}: this is a file, or lies in one; accepted is a folder"
        ) from None
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        yield
        return
    try:
        if not try_lock(handle):
            holder = os.read(handle, 200).decode(errors="replace") or "another process"
            raise FolderInUse(
                f"{folder}: {holder} is at work here; wait until it is done, or stop it"
            )
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        os.close(handle)


def try_lock(handle: int) -> bool:
    """Whether an open file or folder is ours to lock; always, where there are no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise
    return True
