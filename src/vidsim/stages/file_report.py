"""What the check has to say of one file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class FileReport:
    """A file, what is in it, and what is wrong with it.

    Attributes:
        path: the file.
        content: what could be read, in words; empty where nothing could.
        notes: what is unusual and tolerated.
        problems: what is wrong; each names the file and the place in it.
    """

    path: Path
    content: str = ""
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """A row of the table, and under it every problem."""
        verdict = f"{len(self.problems)} BAD" if self.problems else "ok"
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        yield f"{self.content or '-':>16}  {verdict:<6} {self.path}{notes}"
        yield from (f"{'':>16}  {problem}" for problem in self.problems)
