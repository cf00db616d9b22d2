"""What a report's numbers were made from, so that it can be read a year later by somebody else."""

from dataclasses import dataclass
from typing import Any


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
