"""K/N: which part of some work one of several commands does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from vidsim.errors import VidsimError

_T = TypeVar("_T")


@dataclass(frozen=True)
class WorkShare:
    """Every Nth of some things, from the Kth on.

    Attributes:
        number: K, counted from 1.
        count: N.
    """

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> "WorkShare":
        """Reads K/N; all of it where nothing is given.

        Raises:
            VidsimError: not K/N with K from 1 to N.
        """
        if text is None:
            return cls()
        found = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,8})", text)
        if found is None or int(found[1]) > int(found[2]):
            raise VidsimError(f"--part {text!r}: accepted is K/N with K from 1 to N, as 3/8")
        return cls(int(found[1]), int(found[2]))

    def of(self, things: Sequence[_T]) -> Sequence[_T]:
        """This part of them, in their order."""
        return things[self.number - 1 :: self.count]

    def name(self, name: str) -> str:
        """A name of this part's own; the name itself where there is one part."""
        return name if self.count == 1 else f"{name}.part-{self.number}-of-{self.count}"
