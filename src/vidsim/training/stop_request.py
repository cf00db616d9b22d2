"""Ctrl-C and SIGTERM in a training run: finish the step, save, say how to go on."""

import signal
import sys
import threading
from types import FrameType
from typing import Any, Self

from vidsim.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Listens, while it is entered, for the signals that ask a run to stop.

    The first one is noted; the second does what it always did, and so ends the process at once.
    Outside the main thread, where Python allows no handlers, and for signals that the process
    ignores, nothing is changed.

    Args:
        title: the run as the user reads it.
        total: updates in the run.
    """

    def __init__(self, title: str, total: int):
        self.title, self.total = title, total
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        self._put_back()

    def check(self, done: int) -> None:
        """To be called when the state after update ``done`` is saved.

        Raises:
            Interrupted: a signal came.
        """
        if self.asked:
            raise Interrupted(
                f"{self.title} stopped after step {done} of {self.total} and saved its state; "
                "the same command goes on from there"
            )

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._put_back()
        print(
            f"{self.title}: finishes this step and saves its state; once more ends it at once",
            file=sys.stderr,
            flush=True,
        )

    def _put_back(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
