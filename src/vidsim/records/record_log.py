"""What was odd in the records that were read, and whether a bad one ends the reading.

Every reader of records takes a log, so that a stage that stops, a stage that skips and the check
that wants to see everything are one code path.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from vidsim.records.record_error import RecordError

NAMED = 20  # how many of a kind are listed one by one


class RecordLog:
    """Raises the first bad record, or keeps all of them.

    Args:
        skip: keep bad records and go on.

    Attributes:
        bad: what was skipped, in the order of reading.
        repeated: records that say again, word for word, what an earlier one says; they are read
            once and are no mistake. They have the form of an error, but are never raised.
    """

    def __init__(self, skip: bool = False) -> None:
        self.skip = skip
        self.bad: list[RecordError] = []
        self.repeated: list[RecordError] = []

    def add_bad(self, error: RecordError) -> None:
        """Take note of a bad record.

        Raises:
            RecordError: this very one, unless bad records are skipped.
        """
        if not self.skip:
            raise error
        self.bad.append(error)

    def add_repeated(self, repeat: RecordError) -> None:
        """Take note of a record that repeats an earlier one."""
        self.repeated.append(repeat)

    def extend(self, other: "RecordLog") -> None:
        """Take over what another log has noted, as if it had been met now.

        Raises:
            RecordError: the other's first bad record, unless bad records are skipped.
        """
        for error in other.bad:
            self.add_bad(error)
        self.repeated.extend(other.repeated)

    def lines(self) -> Iterator[str]:
        """Say it: how many of each kind and where, the first of them one by one."""
        if self.repeated:
            files = Counter(repeat.path for repeat in self.repeated)
            yield f"{len(self.repeated)} repeated records are read once ({_counts(files)})"
        if self.bad:
            files = Counter(error.path for error in self.bad)
            yield f"SKIPPED {len(self.bad)} bad records ({_counts(files)}):"
            yield from first_named([str(error) for error in self.bad])


def first_named(items: list[str]) -> Iterator[str]:
    """The first items, one a line, and how many more there are."""
    yield from (f"  {item}" for item in items[:NAMED])
    if len(items) > NAMED:
        yield f"  and {len(items) - NAMED} more"


def _counts(files: Counter[Path]) -> str:
    named = [f"{count} in {path}" for path, count in list(files.items())[:NAMED]]
    more = [f"and in {len(files) - NAMED} more files"] if len(files) > NAMED else []
    return ", ".join(named + more)
