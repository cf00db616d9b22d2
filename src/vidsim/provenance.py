"""Code, versions, time and data behind a result, so that somebody else can read it a year later."""

import hashlib
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import vidsim

_DISTRIBUTIONS = ("vidsim", "keras", "tensorflow", "numpy")
_GIT_SECONDS = 10
_SAMPLE = {
    # sha256 of the sorted ids of write_sample's rated videos, and of its test videos
    "593dd2452fa87be78ade352b910e93f90becc87fe185ca6dbc1f60717f2c71f1",
    "2cb7645f2b9517dc220b2995076f48cea3c89ec297c6252350d9be7798b21bc9",
}


def provenance() -> dict[str, Any]:
    """Versions, commit and time, for a file of results."""
    return {"versions": installed_versions(), "commit": code_commit(), "date": now()}


def is_made_up(ids: Iterable[bytes]) -> bool:
    """Whether these are the rated videos, or the test videos, of the made-up sample data set."""
    return hashlib.sha256(b"\n".join(sorted(set(ids)))).hexdigest() in _SAMPLE


def installed_versions() -> dict[str, str]:
    """Versions of the installed distributions, from their metadata: nothing is imported."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # TensorFlow has other names for some machines
    return found


def code_commit(folder: Path | None = None) -> str | None:
    """The git commit of the checkout that tracks the code; None without one, or without git.

    An environment with vidsim in it may lie within somebody else's checkout, which does not track
    the files: that is none.

    Args:
        folder: of the code; default: this package's.
    """
    folder = folder or Path(vidsim.__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    return _git(folder, "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None
    return done.stdout.strip() or None
