"""A decoder in a process of its own, which may die: then there is another for the next file."""

import contextlib
import fcntl
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vidsim.errors import VidsimError
from vidsim.video_files import messages
from vidsim.video_files.decoder import Setup
from vidsim.video_files.reasons import Reason, Unreadable

_START_SECONDS = 120  # for a start on a machine that is busy
_PIPE_BYTES = 1 << 20  # a frame goes through in one turn of each side
_END_SECONDS = 10  # between the end of its words and its own


class _Running(NamedTuple):
    """A process, and the two ends of its pipes that are ours."""

    process: subprocess.Popen[bytes]
    ask: int
    answers: messages.Reader


class DecoderProcess:
    """Decodes files, one after the other.

    Args:
        setup: what all files have in common.

    Attributes:
        starts: how many processes there have been.
    """

    def __init__(self, setup: Setup):
        self._setup, self.starts = setup, 0
        self._running: _Running | None = None
        self._stopped = False

    def decode(self, path: Path) -> Iterator[tuple[float, np.ndarray]]:
        """The chosen frames of a file, resized: seconds and (h, w, 3) uint8.

        Time that passes between two frames because nobody asks for the next is not counted.

        Raises:
            Unreadable: why there are no frames, or no more of them.
            VidsimError: no process can be started.
        """
        running = self._started()
        running.answers.seconds = self._setup.limits.waiting(path)
        try:
            messages.write(running.ask, messages.JOB, os.fsencode(path.absolute()))
            while True:
                kind, content = running.answers.read()
                if kind == messages.FRAME:
                    yield messages.read_frame(content)
                elif kind == messages.END:
                    _raise_reason(messages.read_json(content))
                    return
                else:
                    raise messages.Nonsense
        except messages.TookTooLong:
            self.close()
            waited = f"{self._setup.limits.waiting(path):.0f} s by the clock"
            raise Unreadable(Reason.TIME_LIMIT, waited) from None
        except messages.Nonsense:
            self.close()
            raise Unreadable(Reason.CRASHED, "it said what makes no sense") from None
        except (messages.Closed, OSError):
            raise self._death(running.process, path) from None
        except GeneratorExit:
            self.close()
            raise

    def stop(self) -> None:
        """Ends the process for ever; to be called by another thread than the one that decodes."""
        self._stopped = True
        running = self._running
        if running is not None:
            running.process.kill()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        running, self._running = self._running, None
        if running is not None:
            running.process.kill()
            running.process.communicate()  # also closes our ends of its pipes

    def _started(self) -> _Running:
        """The process, a new one if need be."""
        if self._running is not None:
            return self._running
        command = [sys.executable, "-P", "-m", "vidsim.video_files.decoder"]
        # Threads of its own would take address space, of which it has little.
        own = {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=os.environ | own,
        )
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError, AttributeError):  # a system that has no larger pipes
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        answers = messages.Reader(process.stdout.fileno())
        self._running = running = _Running(process, process.stdin.fileno(), answers)
        self.starts += 1
        if self._stopped:
            process.kill()
        answers.seconds = _START_SECONDS
        try:
            messages.write(running.ask, messages.SETUP, pickle.dumps(self._setup))
            kind, _ = answers.read()
        except (messages.Closed, messages.Nonsense, messages.TookTooLong, OSError):
            kind = b""
        if kind != messages.READY:
            self.close()
            raise VidsimError(
                f"the decoder could not be started: {' '.join(command)} ended with status "
                f"{process.returncode}; its words are above"
            )
        return running

    def _death(self, process: subprocess.Popen[bytes], path: Path) -> Unreadable:
        """Why the process ended before its answer did."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it closed its end, and goes on
            process.wait(timeout=_END_SECONDS)
        self.close()
        status = process.returncode
        if status == -signal.SIGXCPU:
            limit = self._setup.limits.computing(path) * self._setup.threads
            return Unreadable(Reason.TIME_LIMIT, f"{limit:.0f} s of computing")
        if status < 0:
            name = signal.Signals(-status).name
            return Unreadable(Reason.CRASHED, f"{name} ended the decoder")
        return Unreadable(Reason.CRASHED, f"status {status}")


def _raise_reason(said: dict[str, Any]) -> None:
    """Raises what the decoder says in the end, if it is more than that it is the end."""
    if said:
        try:
            reason = Reason(str(said.get("reason")))
        except ValueError:
            raise messages.Nonsense from None
        raise Unreadable(reason, str(said.get("detail", ""))[:300])
