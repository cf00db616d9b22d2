"""What a report's numbers were made from, so that it can be read a year later by somebody else."""

import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Origin:
    """Data, runs and versions behind a report."""

    data: str
    """The data folder, as the user spelled it."""
    made_up: bool
    """Whether rated pairs or test videos are those of the made-up sample."""
    rated_pairs: int
    """All rated pairs of the data."""
    rated_videos: int
    """Different videos in them."""
    files: dict[str, str]
    """What was read (labels, test videos and their labels) to its path."""
    seeds: dict[str, list[int]]
    """Recipe to the seeds of its runs; no entry where no record tells."""
    members: list[dict[str, Any]]
    """Of every recipe and fold: its file, and what its record says of the model behind it."""
    versions: dict[str, str]
    """Distribution to version, as installed here."""
    commit: str | None
    """Git commit of the code, ``-dirty`` behind it where files differ; None outside a checkout."""
    date: str
    """When the report was made, UTC, ISO 8601."""
    run_name: str | None = None
    """``--run-name``."""
    test_name: str | None = None
    """Name of test videos that are not the data folder's own."""

    @property
    def test(self) -> str:
        """The test videos' name, "test_b" for the data folder's own."""
        return self.test_name or "test_b"

    def data_line(self) -> str:
        """The data in one sentence."""
        made_up = " (MADE-UP SAMPLE: nobody rated it)" if self.made_up else ""
        return (
            f"data: {self.data}{made_up}, {self.rated_pairs:,} rated pairs of "
            f"{self.rated_videos:,} videos; test videos: {self.files['test videos']}"
        )

    def code_line(self) -> str:
        """Seeds, versions and date in one sentence."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        commit = f", commit {self.short_commit()}" if self.commit else ""
        return f"{self.seed_text()}; {versions}{commit}; {self.date}"

    def short_commit(self) -> str:
        """The commit's first 12 digits, with its mark."""
        commit, _, mark = (self.commit or "").partition("-")
        return commit[:12] + (f"-{mark}" if mark else "")

    def seed_text(self) -> str:
        """The seeds in words: one for all, or by recipe."""
        different = {tuple(seeds) for seeds in self.seeds.values()}
        if not different:
            return "seed: not recorded"
        if len(different) == 1:
            return "seed " + ", ".join(map(str, different.pop()))
        named = (f"{name} {','.join(map(str, seeds))}" for name, seeds in self.seeds.items())
        return f"seeds: {'; '.join(named)}"


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
