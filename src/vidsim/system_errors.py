"""What a user can do where the operating system refuses: one line for each kind of refusal."""

import errno

_FULL = "free some space and run the same command again: it goes on where it was"
_CLOSED = "give yourself the right to it, or name another folder by --save-dir or --data-dir"
_GONE = "is the disk or folder still there? Bring it back and run the same command again"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "raise the limit on the size of files (ulimit -f) and run the same command again",
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.ENOENT: _GONE,
    errno.ENOTDIR: _GONE,
    errno.ESTALE: _GONE,
    errno.EIO: _GONE,
    errno.EMFILE: "raise the limit on open files (ulimit -n) and run the same command again",
}


def remedy(error: OSError) -> str | None:
    """The file, what is wrong with it and what to do; None where that is not the user's matter."""
    if error.errno not in _REMEDIES or error.filename is None:
        return None
    return f"{error.filename}: {error.strerror}; {_REMEDIES[error.errno]}"
