"""Tags and categories as a table has them, into the numbers that records have.

Where all of them are whole numbers, they stay as they are. Otherwise each different text gets a
number, and a file says which: a model's predictions can be read by it. "007" is a text: as a number
it would come back as 7.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)


@dataclass(frozen=True)
class NumberedNames:
    """Numbers by name.

    Attributes:
        numbers: of every name, in the order of the list.
        named: whether the names are texts; otherwise they are the numbers themselves.
    """

    numbers: dict[str, int]
    named: bool

    @classmethod
    def by_frequency(cls, counts: Counter[str]) -> "NumberedNames":
        """The most frequent first, equally frequent ones in the order of their letters."""
        order = sorted(counts, key=lambda name: (-counts[name], name))
        return cls._numbered(order)

    @classmethod
    def by_name(cls, names: Iterable[str]) -> "NumberedNames":
        """In the order of their letters, or of the numbers that they are."""
        made = cls._numbered(sorted(names))
        numbers = sorted(made.numbers.items(), key=lambda item: item[1])
        return cls(dict(numbers), made.named)

    @classmethod
    def _numbered(cls, order: list[str]) -> "NumberedNames":
        if all(_WHOLE.fullmatch(name) for name in order):
            return cls({name: int(name) for name in order}, False)
        return cls({name: number for number, name in enumerate(order, 1)}, True)

    def __len__(self) -> int:
        return len(self.numbers)

    def name_lines(self) -> Iterator[str]:
        """Number, tab, name."""
        return (f"{number}\t{name}\n" for name, number in self.numbers.items())


def parents_of(categories: NumberedNames, letters: int) -> NumberedNames:
    """The parents of categories: their first letters, such as 101 of 10105 and 10107.

    Where categories and parents are whole numbers, parents stay as they are; otherwise they are
    numbered behind the categories.
    """
    parents = NumberedNames.by_name({name[:letters] for name in categories.numbers})
    if not categories.named and not parents.named:
        return parents
    behind = max(categories.numbers.values()) + 1
    return NumberedNames({name: behind + n for n, name in enumerate(parents.numbers)}, True)
