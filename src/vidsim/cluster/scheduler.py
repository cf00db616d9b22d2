"""Runs a graph of jobs: what is ready is submitted, what failed is tried again, the rest goes on.

Nothing that the scheduler knows is needed to go on: a new one asks the files what is done.
"""

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from vidsim.cluster.display import Display
from vidsim.cluster.executor import Executor
from vidsim.cluster.job import Attempt, End, Job
from vidsim.cluster.status import JobStatus, RunStatus, State
from vidsim.errors import Interrupted

LOST_LIMIT = 50
"""How often one job may be lost: more is no accident."""
_LOOK = 0.1  # seconds between looks
_AGAIN = 1.0  # seconds before a job is tried again whose folder is in use
_IN_USE_LIMIT = 600.0  # seconds for which it is


class Scheduler:
    """Runs jobs, each after those that it needs.

    Args:
        executor: where they run.
        retries: how often a job that failed is tried again.
        status: is kept up to date.
        display: shows it.
    """

    def __init__(self, executor: Executor, retries: int, status: RunStatus, display: Display):
        self._executor, self._retries = executor, retries
        self._status, self._display = status, display
        self._jobs: dict[str, Job] = {}
        self._not_before: dict[str, float] = {}  # of jobs whose folder was in use
        self._first_in_use: dict[str, float] = {}

    def run(self, jobs: Iterable[Job]) -> bool:
        """Runs jobs until nothing more can be done.

        Args:
            jobs: what one needs and is neither among them nor was run before is done.

        Returns:
            whether every job is done; what is not, and why, is in the status.

        Raises:
            VidsimError: the executor is gone.
            Interrupted: Ctrl-C or SIGTERM.
        """
        for job in jobs:
            self._jobs[job.name], self._status.jobs[job.name] = job, JobStatus(job.name)
        asked = threading.Event()
        with _signals(asked):
            while self._status.of(State.WAITING, State.SUBMITTED, State.RUNNING):
                self._submit_ready()
                for attempt in self._executor.poll():
                    self._note(attempt)
                self._note_running()
                self._display.show(self._status)
                self._status.write()
                if asked.wait(_LOOK):
                    self._display.say("stopping: running jobs finish a step and save their states")
                    raise Interrupted("stopped; the same command goes on from there")
        return len(self._status.of(State.DONE)) == len(self._status.jobs)

    def _submit_ready(self) -> None:
        for status in self._status.of(State.WAITING):
            job = self._jobs[status.name]
            needed = [self._status.jobs[name] for name in job.needs if name in self._jobs]
            failed = [one.name for one in needed if one.state in (State.FAILED, State.SKIPPED)]
            if failed:
                status.state, status.reason = State.SKIPPED, f"it needs {failed[0]}"
                continue
            if any(one.state is not State.DONE for one in needed):
                continue
            if time.monotonic() < self._not_before.get(job.name, 0.0):
                continue
            if self._executor.has_room(job):
                self._executor.submit(job)
                status.state = State.SUBMITTED
                status.attempts += 1

    def _note_running(self) -> None:
        running = self._executor.running()
        for status in self._status.of(State.SUBMITTED):
            if status.name in running:
                status.start(running[status.name])

    def _note(self, attempt: Attempt) -> None:
        """What an attempt's end means for its job."""
        status = self._status.jobs[attempt.job]
        status.end(attempt)
        if attempt.end is End.DONE:
            status.state = State.DONE
        elif attempt.end is End.IN_USE:
            status.attempts -= 1
            first = self._first_in_use.setdefault(attempt.job, time.monotonic())
            self._not_before[attempt.job] = time.monotonic() + _AGAIN
            longer = time.monotonic() - first > _IN_USE_LIMIT
            status.state = State.FAILED if longer else State.WAITING
        elif attempt.end is End.LOST:
            status.lost += 1
            status.attempts -= 1
            status.state = State.FAILED if status.lost > LOST_LIMIT else State.WAITING
        else:
            again = status.attempts <= self._retries
            status.state = State.WAITING if again else State.FAILED
        if attempt.end is not End.IN_USE:
            self._first_in_use.pop(attempt.job, None)
            self._display.ended(status, self._status)


@contextmanager
def _signals(asked: threading.Event) -> Iterator[None]:
    """Within it, Ctrl-C and SIGTERM set the event; the second time they do what they always did.

    A signal that the process ignores, as in the background of a shell, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: kept for number, kept in found.items() if kept is not signal.SIG_IGN}

    def note(number: int, frame: FrameType | None) -> None:
        asked.set()
        for one, handler in before.items():
            signal.signal(one, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
