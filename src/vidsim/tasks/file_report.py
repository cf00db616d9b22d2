"""What the check has to say of one file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vidsim.records.record_log import NAMED

_DIFFERING = re.compile(r"""b?'[^']*'|b?"[^"]*"|0x[0-9a-f]+|\d[\d,.]*""")


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
        """A row of the table; under it the problems of each kind, the first 20 and a count."""
        verdict = f"{len(self.problems)} BAD" if self.problems else "ok"
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        yield f"{self.content or '-':>16}  {verdict:<6} {self.path}{notes}"
        kinds: dict[str, list[str]] = {}
        for problem in self.problems:
            kinds.setdefault(_kind(problem), []).append(problem)
        for problems in kinds.values():
            yield from (f"{'':>16}  {problem}" for problem in problems[:NAMED])
            if len(problems) > NAMED:
                yield f"{'':>16}  and {len(problems) - NAMED:,} more of this kind"


def _kind(problem: str) -> str:
    """A problem without what differs from case to case: numbers, and what is quoted."""
    return _DIFFERING.sub("#", problem)
