"""A decoder in a process of its own, which may die: then there is another for the next file."""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.video_files import messages
from vidsim.video_files.decoder import Setup
from vidsim.video_files.reasons import Reason, Unreadable

_START_SECONDS = 120  # for a start on a machine that is busy
_END_SECONDS = 10  # between the end of its words and its own


class DecoderProcess:
    """Decodes files, one after the other.

    Args:
        setup: what all files have in common.

    Attributes:
        starts: how many processes there have been.
    """

    def __init__(self, setup: Setup):
        self._setup, self.starts = setup, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: messages.Reader | None = None
        self._stopped = False

    def decode(self, path: Path) -> Iterator[tuple[float, np.ndarray]]:
        """The chosen frames of a file, preprocessed: seconds and (h, w, c) float32.

        Time that passes between two frames because nobody asks for the next is not counted.

        Raises:
            Unreadable: why there are no frames, or no more of them.
            VidsimError: no process can be started.
        """
        process, reader = self._started()
        reader.seconds = self._setup.limits.waiting(path)
        try:
            messages.write(process.stdin.fileno(), messages.JOB, os.fsencode(path.absolute()))
            while True:
                kind, content = reader.read()
                if kind == messages.FRAME:
                    yield messages.read_frame(content)
                elif kind == messages.END:
                    self._end(messages.read_json(content))
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
            raise self._death(path) from None
        except GeneratorExit:
            self.close()
            raise

    def stop(self) -> None:
        """Ends the process for ever; to be called by another thread than the one that decodes."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def _started(self) -> tuple[subprocess.Popen[bytes], messages.Reader]:
        """The process, a new one if need be."""
        if self._process is not None and self._reader is not None:
            return self._process, self._reader
        command = [sys.executable, "-P", "-m", "vidsim.video_files.decoder"]
        self._process = process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            # Threads of its own would take address space, of which it has little.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
        )
        if self._stopped:
            process.kill()
        self.starts += 1
        self._reader = reader = messages.Reader(process.stdout.fileno())
        reader.seconds = _START_SECONDS
        try:
            messages.write(process.stdin.fileno(), messages.SETUP, pickle.dumps(self._setup))
            kind, _ = reader.read()
        except (messages.Closed, messages.Nonsense, messages.TookTooLong, OSError):
            kind = b""
        if kind != messages.READY:
            self.close()
            raise VidsimError(
                f"the decoder could not be started: {' '.join(command)} ended with status "
                f"{process.returncode}; its words are above"
            )
        return process, reader

    def _death(self, path: Path) -> Unreadable:
        """Why the process ended before its answer did."""
        process = self._process
        try:
            process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            pass  # it closed its end, and goes on
        self.close()
        status = process.returncode
        if status == -signal.SIGXCPU:
            limit = f"{self._setup.limits.computing(path) * self._setup.threads:.0f} s of computing"
            return Unreadable(Reason.TIME_LIMIT, limit)
        if status < 0:
            name = signal.Signals(-status).name
            return Unreadable(Reason.CRASHED, f"{name} ended the decoder")
        return Unreadable(Reason.CRASHED, f"status {status}")

    def _end(self, said: dict) -> None:
        if not said:
            return
        try:
            reason = Reason(str(said.get("reason")))
        except ValueError:
            raise messages.Nonsense from None
        raise Unreadable(reason, str(said.get("detail", ""))[:300])
