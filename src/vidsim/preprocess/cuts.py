"""What the limits of a model cut off the videos, counted where their inputs are made."""

from collections.abc import Sequence
from dataclasses import dataclass

TITLE_TOKENS = 32
"""Most tokens of a title that a model reads, [CLS] and [SEP] included; the recipes' default."""
MOST_FRAMES = 32
"""Most frames of a video that a model reads; the recipes' default."""


@dataclass(frozen=True)
class CutTexts:
    """What a limit on the length of a text field cuts off.

    Attributes:
        count: texts of more tokens than the limit.
        total: texts.
        longest: tokens of the longest text, special tokens included; 0 without texts.
        limit: most tokens of a text that are read.
        field: of the record.
    """

    count: int
    total: int
    longest: int
    limit: int
    field: str = "title"

    @classmethod
    def of(cls, lengths: Sequence[int], limit: int) -> "CutTexts":
        """Of titles with these numbers of tokens."""
        count = sum(length > limit for length in lengths)
        return cls(count, len(lengths), max(lengths, default=0), limit)

    def text(self, at_least: bool = False) -> str:
        """A line for a log.

        Args:
            at_least: the tokens were counted by a rule that may find too few.
        """
        if not self.count:
            none = f"no {self.field} is known to have" if at_least else f"no {self.field} has"
            return f"{none} more than {self.limit} tokens"
        share, bound = 100 * self.count / self.total, "at least " * at_least
        return (
            f"{bound}{self.count:,} of {self.total:,} {self.field}s ({share:.1f} %) have more than "
            f"{self.limit} tokens and are cut, the longest has {bound}{self.longest:,}"
        )


@dataclass(frozen=True)
class Left:
    """Things of a kind of which some are left out, and why."""

    count: int
    total: int
    what: str
    why: str

    def text(self) -> str:
        """A line for a log."""
        return f"{self.count:,} of {self.total:,} {self.what} are {self.why}"


@dataclass(frozen=True)
class Cuts:
    """All that a model's inputs leave out of the videos.

    Attributes:
        texts: of each text field.
        left: frames that are not taken, tags that are not listed, and the like.
        assembly: what was cut where texts were assembled, in a sentence; else "".
    """

    texts: tuple[CutTexts, ...] = ()
    left: tuple[Left, ...] = ()
    assembly: str = ""

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return any(item.count for item in (*self.texts, *self.left))

    def text(self) -> str:
        """A line for a log: of the texts in any case, of others where some are left out."""
        others = [item.text() for item in self.left if item.count]
        assembly = [self.assembly] if self.assembly else []
        return "; ".join([*assembly, *(item.text() for item in self.texts), *others])


def frames_left(counts: Sequence[int], most: int, what: str = "frames") -> Left:
    """The frames that are not taken of videos with so many each."""
    left = sum(max(count - most, 0) for count in counts)
    return Left(left, sum(counts), what, f"not taken: at most {most} of a video are")
