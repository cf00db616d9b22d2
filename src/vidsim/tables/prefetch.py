"""Files read ahead by two threads, in the order in which they were asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NoReturn, TypeVar

_THREADS, _AHEAD = 2, 3
_AT_ONCE = 16  # keys that a thread is given: handing over takes as long as reading a few kilobytes
_K = TypeVar("_K")
_V = TypeVar("_V")


def prefetched(read: Callable[[_K], _V], keys: Iterable[_K]) -> Iterator[Callable[[], _V]]:
    """For each key a function that gives what `read` gives, or raises the ValueError it raises.

    Args:
        read: is called in another thread, for some dozens of keys before they are needed.
        keys: in their order.
    """
    waiting: deque[Future[list[Callable[[], _V]]]] = deque()
    keys = iter(keys)
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            while part := list(islice(keys, _AT_ONCE)):
                waiting.append(pool.submit(_outcomes, read, part))
                if len(waiting) > _AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _outcomes(read: Callable[[_K], _V], keys: list[_K]) -> list[Callable[[], _V]]:
    found: list[Callable[[], _V]] = []
    for key in keys:
        try:
            found.append(partial(_given, read(key)))
        except ValueError as error:
            found.append(partial(_raised, error))
    return found


def _given(value: _V) -> _V:
    return value


def _raised(error: ValueError) -> NoReturn:
    raise error
