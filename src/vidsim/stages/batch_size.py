"""A batch size that halves where memory does not suffice, and stays so."""

from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_WORDS = ("RESOURCE_EXHAUSTED", "ResourceExhausted", "out of memory")


class BatchSize:
    """How many videos are embedded at a time.

    Args:
        size: to begin with.
    """

    def __init__(self, size: int):
        self.size = size

    def run(self, compute: Callable[[int], _T]) -> _T:
        """What a computation returns; where it ran out of memory, it is done again with half.

        Args:
            compute: is given the batch size.
        """
        while True:
            try:
                return compute(self.size)
            except Exception as error:  # each backend has an error of its own
                said = f"{type(error).__name__}: {error}"
                if self.size == 1 or not any(word in said for word in _WORDS):
                    raise
            self.size //= 2
            print(f"embed: out of memory; from here on --batch-size {self.size}", flush=True)
