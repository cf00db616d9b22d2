"""Messages between the process that extracts and those that decode: a kind, a length, bytes.

What comes from a decoder is not trusted, as it has read files of unknown origin: numbers and texts
are checked, and nothing of it is unpickled.
"""

import json
import os
import select
import struct
import time
from collections import deque
from typing import Any

import numpy as np

SETUP, JOB, FRAME, END, READY = b"S", b"J", b"F", b"E", b"R"

_HEAD = struct.Struct("<cQ")
_FRAME = struct.Struct("<dIII")
_MOST_BYTES = 1 << 31


class Closed(Exception):
    """The other side is gone."""


class Nonsense(Exception):
    """The other side says what makes no sense."""


class TookTooLong(Exception):
    """The other side said nothing for too long."""


class Reader:
    """Messages from a pipe.

    Args:
        handle: its file descriptor.

    Attributes:
        seconds: how long is still waited, in all; None: for ever.
    """

    def __init__(self, handle: int):
        self._handle = handle
        self.seconds: float | None = None
        self._poll = select.poll()
        self._poll.register(handle, select.POLLIN | select.POLLHUP)

    def read(self) -> tuple[bytes, memoryview]:
        """The next message: its kind and its bytes.

        Raises:
            Closed: there is none, or no whole one.
            Nonsense: it is none of those above.
            TookTooLong: the seconds are used up.
        """
        kind, length = _HEAD.unpack(self._take(_HEAD.size))
        if kind not in (SETUP, JOB, FRAME, END, READY) or length > _MOST_BYTES:
            raise Nonsense
        return kind, self._take(length)

    def _take(self, length: int) -> memoryview:
        taken = np.empty(length, np.uint8).data
        at = 0
        while at < length:
            self._wait()
            count = os.readv(self._handle, [taken[at:]])
            if not count:
                raise Closed
            at += count
        return taken

    def _wait(self) -> None:
        if self.seconds is None:
            return
        began = time.monotonic()
        ready = self._poll.poll(max(self.seconds, 0) * 1000)
        self.seconds -= time.monotonic() - began
        if not ready:
            raise TookTooLong


def write(handle: int, kind: bytes, *contents: bytes | memoryview) -> None:
    """Writes a message whose bytes are those of the contents, one after the other.

    Raises:
        OSError: the other side is gone.
    """
    views = [memoryview(content).cast("B") for content in contents if len(content)]
    head = _HEAD.pack(kind, sum(view.nbytes for view in views))
    waiting = deque([memoryview(head), *views])
    while waiting:  # in one call, most often: each wakes the reader
        written = os.writev(handle, waiting)
        while waiting and written >= waiting[0].nbytes:
            written -= waiting.popleft().nbytes
        if written:
            waiting[0] = waiting[0][written:]


def write_json(handle: int, kind: bytes, content: dict[str, Any]) -> None:
    """Writes a message of JSON."""
    write(handle, kind, json.dumps(content).encode())


def read_json(content: memoryview) -> dict[str, Any]:
    """The content of a message of JSON.

    Raises:
        Nonsense: it is none.
    """
    try:
        found = json.loads(bytes(content))
    except (ValueError, RecursionError):
        raise Nonsense from None
    if not isinstance(found, dict):
        raise Nonsense
    return found


def write_frame(handle: int, seconds: float, frame: np.ndarray) -> None:
    """Writes a resized frame, (h, w, 3) uint8."""
    frame = np.ascontiguousarray(frame, np.uint8)
    write(handle, FRAME, _FRAME.pack(seconds, *frame.shape), frame.data)


def read_frame(content: memoryview) -> tuple[float, np.ndarray]:
    """Seconds and the frame, without a copy.

    Raises:
        Nonsense: the bytes are not as many as its shape says.
    """
    if len(content) < _FRAME.size:
        raise Nonsense
    seconds, *shape = _FRAME.unpack_from(content)
    values = np.frombuffer(content, np.uint8)[_FRAME.size :]
    if values.nbytes != shape[0] * shape[1] * shape[2]:
        raise Nonsense
    return seconds, values.reshape(shape)
