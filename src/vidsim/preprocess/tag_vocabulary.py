"""Tag ids to columns: the order is fixed here, and travels with every checkpoint."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.preprocess.ragged import Ragged


@dataclass(frozen=True)
class TagVocabulary:
    """The known tags; column c of a multi-hot vector is ``ids[c]``, ids ascending."""

    ids: np.ndarray  # (C,) int64

    @classmethod
    def read(cls, path: Path) -> "TagVocabulary":
        """Reads a tag list: one integer a line.

        Raises:
            VidsimError: no such file, a line that is no integer, a repeated id, an empty list.
        """
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except FileNotFoundError:
            raise VidsimError(
                f"{path}: no such file; expected is a list of tag ids, one integer a line"
            ) from None
        seen: dict[int, int] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                tag = int(line)
            except ValueError:
                raise VidsimError(f"{path}:{number}: {line!r} is not an integer tag id") from None
            if tag in seen:
                raise VidsimError(f"{path}:{number}: tag {tag} stands in line {seen[tag]} already")
            seen[tag] = number
        if not seen:
            raise VidsimError(f"{path}: no tag ids; expected is one integer a line")
        return cls(np.sort(np.fromiter(seen, "int64", len(seen))))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """sha256 of the ids in order."""
        return hashlib.sha256(self.ids.astype("<i8").tobytes()).hexdigest()

    def columns(self, values: np.ndarray, splits: np.ndarray) -> Ragged:
        """Ragged tag ids (values, splits) as ragged columns; unknown tags are left out."""
        position = np.searchsorted(self.ids, values).clip(max=len(self.ids) - 1)
        known = self.ids[position] == values
        counts = np.concatenate([[0], np.cumsum(known)])
        return Ragged(position[known].astype("int32"), counts[splits])
