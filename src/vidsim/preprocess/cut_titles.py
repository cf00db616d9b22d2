"""How many titles are longer than a model reads, counted where they are tokenized."""

from collections.abc import Sequence
from dataclasses import dataclass

TITLE_TOKENS = 32
"""Most tokens of a title that a model reads, [CLS] and [SEP] included; the recipes' default."""


@dataclass(frozen=True)
class CutTitles:
    """What a limit on the length of titles cuts off.

    Attributes:
        count: titles of more tokens than the limit.
        total: titles.
        longest: tokens of the longest title, [CLS] and [SEP] included; 0 without titles.
        limit: most tokens of a title that are read.
    """

    count: int
    total: int
    longest: int
    limit: int

    @classmethod
    def of(cls, lengths: Sequence[int], limit: int) -> "CutTitles":
        """Of titles with these numbers of tokens."""
        count = sum(length > limit for length in lengths)
        return cls(count, len(lengths), max(lengths, default=0), limit)

    def text(self, at_least: bool = False) -> str:
        """A line for a log.

        Args:
            at_least: the tokens were counted by a rule that may find too few.
        """
        if not self.count:
            none = "no title is known to have" if at_least else "no title has"
            return f"{none} more than {self.limit} tokens"
        share, bound = 100 * self.count / self.total, "at least " * at_least
        return (
            f"{bound}{self.count:,} of {self.total:,} titles ({share:.1f} %) have more than "
            f"{self.limit} tokens and are cut, the longest has {bound}{self.longest:,}"
        )
