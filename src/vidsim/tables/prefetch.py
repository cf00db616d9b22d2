"""Files read ahead by a few threads, in the order in which they were asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_THREADS, _AHEAD = 2, 8
_K = TypeVar("_K")
_V = TypeVar("_V")


def prefetched(read: Callable[[_K], _V], keys: Iterable[_K]) -> Iterator[Callable[[], _V]]:
    """For each key a function that gives what `read` gives, or raises what it raises.

    Args:
        read: is called in another thread, for at most `_AHEAD` keys before they are needed.
        keys: in their order.
    """
    waiting: deque[Future[_V]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for key in keys:
                waiting.append(pool.submit(read, key))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result
            while waiting:
                yield waiting.popleft().result
        finally:
            for future in waiting:
                future.cancel()
