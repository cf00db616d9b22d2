"""What is wrong in tables and features, and whether the first such thing ends the command."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.records.record_log import NAMED


class RowLog:
    """Raises for the first bad row, or counts all of them and keeps the first few.

    Args:
        skip: go on without bad rows.

    Attributes:
        counts: bad rows by file.
        first: the first messages, at most `NAMED`.
    """

    def __init__(self, skip: bool = False):
        self.skip = skip
        self.counts: Counter[str] = Counter()
        self.first: list[str] = []

    def bad(self, path: Path, place: str, reason: str) -> None:
        """Takes note of a bad row.

        Args:
            path: the file that it is counted for.
            place: the file and where in it, as "clips.csv:7".
            reason: what is wrong and what is accepted.

        Raises:
            VidsimError: for this very row, unless bad rows are skipped.
        """
        message = f"{place}: {reason}"
        if not self.skip:
            raise VidsimError(message)
        self.counts[str(path)] += 1
        if len(self.first) < NAMED:
            self.first.append(message)

    def add(self, state: dict[str, Any]) -> None:
        """Takes over what another log has noted, by its `state`."""
        self.counts.update(state["counts"])
        self.first = [*self.first, *state["first"]][:NAMED]

    @property
    def state(self) -> dict[str, Any]:
        """All of it as JSON data."""
        return {"counts": dict(self.counts), "first": self.first}

    def lines(self) -> Iterator[str]:
        """How many rows were skipped in which file, the first of them one by one."""
        total = sum(self.counts.values())
        if not total:
            return
        files = ", ".join(f"{count:,} in {path}" for path, count in self.counts.items())
        yield f"SKIPPED {total:,} bad rows ({files}):"
        yield from (f"  {message}" for message in self.first)
        if total > len(self.first):
            yield f"  and {total - len(self.first):,} more"
