"""Tag ids to columns: the order is fixed here, and travels with every checkpoint."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.preprocess.ragged import Ragged
from vidsim.records.shown import shown

_ACCEPTED = "accepted is a list of tag ids, one integer of at most 64 bits a line"
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)


@dataclass(frozen=True)
class TagVocabulary:
    """The known tags, perhaps none; column c of a multi-hot vector is ``ids[c]``, ids ascending."""

    ids: np.ndarray  # (C,) int64

    @classmethod
    def read(cls, path: Path, may_be_empty: bool = False) -> "TagVocabulary":
        """Reads a tag list: one integer a line; blank lines are passed over.

        Args:
            path: of the list.
            may_be_empty: whether it may have no tags, as that of a model without tags.

        Raises:
            VidsimError: no such file, a line that is no integer, a repeated id, an empty list.
        """
        seen: dict[int, int] = {}
        for number, line in read_lines(path, _ACCEPTED):
            tag = integer(line.strip())
            if tag is None:
                raise VidsimError(f"{path}:{number}: {shown(line)}; {_ACCEPTED}")
            if tag in seen:
                raise VidsimError(f"{path}:{number}: tag {tag} stands in line {seen[tag]} already")
            seen[tag] = number
        if not seen and not may_be_empty:
            raise VidsimError(f"{path}: no tag ids; {_ACCEPTED}")
        return cls(np.sort(np.fromiter(seen, "int64", len(seen))))

    @classmethod
    def none(cls) -> "TagVocabulary":
        """No tags at all."""
        return cls(np.empty(0, np.int64))

    @classmethod
    def of(cls, values: np.ndarray) -> "TagVocabulary":
        """The different ones of some tag ids."""
        return cls(np.unique(values))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """sha256 of the ids in order."""
        return hashlib.sha256(self.ids.astype("<i8").tobytes()).hexdigest()

    def columns(self, values: np.ndarray, splits: np.ndarray) -> Ragged:
        """Ragged tag ids (values, splits) as ragged columns; unknown tags are left out."""
        if not len(self):
            return Ragged(np.empty(0, "int32"), np.zeros_like(splits))
        position = np.searchsorted(self.ids, values).clip(max=len(self.ids) - 1)
        known = self.ids[position] == values
        counts = np.concatenate([[0], np.cumsum(known)])
        return Ragged(position[known].astype("int32"), counts[splits])


def read_lines(path: Path, accepted: str) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, each with its number from 1.

    Raises:
        VidsimError: the file cannot be read or is no UTF-8; with what is accepted.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise VidsimError(f"{path}: cannot be read ({error.strerror}); {accepted}") from None
    except UnicodeDecodeError as error:
        raise VidsimError(f"{path}: not UTF-8 text ({error}); {accepted}") from None
    yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def integer(word: str) -> int | None:
    """The number of a word of at most 19 digits that fits into 64 bits, otherwise None."""
    if not _INTEGER.fullmatch(word):
        return None
    number = int(word)
    return number if -(1 << 63) <= number < 1 << 63 else None
