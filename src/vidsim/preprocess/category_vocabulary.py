"""Category ids to class numbers, and each class's parent: of a list, or of the training data."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.preprocess.tag_vocabulary import integer, read_lines
from vidsim.records.number_fields import NumberColumn
from vidsim.records.shown import shown

_ACCEPTED = (
    "accepted is a list of categories: an id a line, or an id, a tab and the id of its parent; "
    "integers of at most 64 bits"
)


@dataclass(frozen=True)
class CategoryVocabulary:
    """The known categories; class k is ``ids[k]``, ids ascending.

    Shapes: ids (C,) int64, parent_ids (P,) int64 ascending, parents (C,) int32: the place in
    parent_ids of each class's parent. A category without a parent is its own.
    """

    ids: np.ndarray
    parent_ids: np.ndarray
    parents: np.ndarray

    @classmethod
    def of(cls, column: NumberColumn) -> "CategoryVocabulary":
        """The categories that some videos have, each its own parent."""
        ids = np.unique(column.values[column.present])
        return cls(ids, ids, np.arange(len(ids), dtype=np.int32))

    @classmethod
    def read(cls, path: Path) -> "CategoryVocabulary":
        """Reads a category list; blank lines are passed over.

        Raises:
            VidsimError: no such file, a line that is not as accepted, a repeated id, an empty list.
        """
        seen: dict[int, tuple[int, int]] = {}  # id -> parent, line
        for number, line in read_lines(path, _ACCEPTED):
            ids = [integer(word.strip()) for word in line.split("\t")]
            if len(ids) > 2 or any(item is None for item in ids):
                raise VidsimError(f"{path}:{number}: {shown(line)}; {_ACCEPTED}")
            own, parent = ids[0], ids[-1]
            assert own is not None and parent is not None
            if own in seen:
                line_before = seen[own][1]
                raise VidsimError(
                    f"{path}:{number}: category {own} stands in line {line_before} already"
                )
            seen[own] = parent, number
        if not seen:
            raise VidsimError(f"{path}: no category ids; {_ACCEPTED}")
        ids = np.sort(np.fromiter(seen, "int64", len(seen)))
        parent_of = np.array([seen[own][0] for own in ids.tolist()], "int64")
        parent_ids, parents = np.unique(parent_of, return_inverse=True)
        return cls(ids, parent_ids, parents.astype("int32"))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """sha256 of ids and parents in order."""
        content = (self.ids, self.parent_ids[self.parents])
        return hashlib.sha256(
            b"".join(part.astype("<i8").tobytes() for part in content)
        ).hexdigest()

    def lines(self) -> str:
        """The list as a file that `read` reads."""
        parents = self.parent_ids[self.parents].tolist()
        both = zip(self.ids.tolist(), parents, strict=True)
        return "".join(
            f"{own}\n" if own == parent else f"{own}\t{parent}\n" for own, parent in both
        )

    def classes(self, column: NumberColumn) -> np.ndarray:
        """(N,) int32 class numbers; -1 for a video without category or with one not listed."""
        if not len(self):
            return np.full(len(column), -1, "int32")
        place = np.searchsorted(self.ids, column.values).clip(max=len(self.ids) - 1)
        known = column.present & (self.ids[place] == column.values)
        return np.where(known, place, -1).astype("int32")
