"""Many ids, found without an object for each of them."""

from collections.abc import Sequence

import numpy as np


class IdIndex:
    """N ids and the place of each.

    Args:
        ids: (N,) bytes; of an id that stands several times the first place counts.
    """

    def __init__(self, ids: np.ndarray):
        self.ids = ids
        self._order = np.argsort(ids, kind="stable")
        self._sorted = ids[self._order]

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: np.ndarray) -> np.ndarray:
        """(K,) int64 places of K ids, -1 for one that is not there."""
        if not len(self.ids) or not len(ids):
            return np.full(len(ids), -1)
        at = np.searchsorted(self._sorted, ids).clip(max=len(self.ids) - 1)
        return np.where(self._sorted[at] == ids, self._order[at], -1)

    def mask_of(self, ids: Sequence[bytes]) -> np.ndarray:
        """(N,) bool, which of the N ids are among some others, all of which are there."""
        found = np.zeros(len(self.ids), bool)
        found[self.find(packed(ids))] = True
        return found

    def first(self) -> np.ndarray:
        """(N,) int64, the first place of each id."""
        starts = np.ones(len(self.ids), bool)
        starts[1:] = self._sorted[1:] != self._sorted[:-1]
        firsts = self._order[np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))]
        found = np.empty(len(self.ids), np.int64)
        found[self._order] = firsts
        return found


class IdList:
    """Ids that come one after the other, packed in parts."""

    _AT_ONCE = 1 << 14

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._last: list[bytes] = []

    def append(self, video: bytes) -> None:
        """Adds an id."""
        self._last.append(video)
        if len(self._last) == self._AT_ONCE:
            self._pack()

    def array(self) -> np.ndarray:
        """(N,) bytes."""
        self._pack()
        return packed([]) if not self._parts else np.concatenate(self._parts)

    def _pack(self) -> None:
        if self._last:
            self._parts.append(packed(self._last))
            self._last = []


def packed(ids: Sequence[bytes]) -> np.ndarray:
    """(N,) bytes of some ids."""
    return np.array(ids, np.bytes_) if ids else np.empty(0, "S1")
