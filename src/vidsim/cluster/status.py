"""Where the jobs of a run stand, kept in a file for `vidsim cluster status` in another terminal.

Nothing is decided by that file: what is done is asked of the results themselves.
"""

import json
import os
import socket
import time
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any

from vidsim.cluster.job import Attempt
from vidsim.errors import VidsimError
from vidsim.files import write_json

FORMAT = 1
WRITE_SECONDS = 2.0
"""Between two writings of the file, at least."""


class State(Enum):
    """Where a job stands."""

    WAITING = "waiting"  # for others, or for its turn
    SUBMITTED = "submitted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # one that it needs has failed


@dataclass
class JobStatus:
    """What is known of one job.

    Attributes:
        name: its name.
        state: where it stands.
        node: where it runs, or ran last.
        began: when it began to run, seconds since 1970; 0 before.
        seconds: of all its attempts that ended.
        attempts: how often it was tried; those that were lost are not counted.
        lost: how often it was killed, or its node went.
        reason: why it is not done.
    """

    name: str
    state: State = State.WAITING
    node: str = ""
    began: float = 0.0
    seconds: float = 0.0
    attempts: int = 0
    lost: int = 0
    reason: str = ""

    def start(self, node: str) -> None:
        """It was seen to run."""
        self.state, self.node, self.began, self.reason = State.RUNNING, node, time.time(), ""

    def end(self, attempt: Attempt) -> None:
        """An attempt ended; the state is set by the scheduler."""
        self.node = attempt.node or self.node
        self.seconds += attempt.seconds
        self.reason = attempt.reason

    def so_far(self, now: float) -> float:
        """Seconds that it has run, at a time in seconds since 1970."""
        running = self.state is State.RUNNING
        return self.seconds + (max(now - self.began, 0.0) if running else 0.0)


@dataclass
class RunStatus:
    """All jobs of one run.

    Attributes:
        path: of the file.
        command: as it was typed.
        jobs: by name.
        process: of the scheduler, and its host.
        began: seconds since 1970, as are updated and ended; ended is None while the run goes on.
    """

    path: Path
    command: str
    jobs: dict[str, JobStatus] = field(default_factory=dict)
    process: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    began: float = field(default_factory=time.time)
    updated: float = 0.0
    ended: float | None = None

    def of(self, *states: State) -> list[JobStatus]:
        """The jobs in one of some states."""
        return [job for job in self.jobs.values() if job.state in states]

    def write(self, force: bool = False) -> None:
        """Writes the file, but not too often."""
        if force or time.time() - self.updated > WRITE_SECONDS:
            self.updated = time.time()
            content: dict[str, Any] = {"format": FORMAT, **asdict(self), "path": str(self.path)}
            jobs = [{**asdict(job), "state": job.state.value} for job in self.jobs.values()]
            write_json(self.path, content | {"jobs": jobs})

    def end(self) -> None:
        """The run has ended, whatever became of it."""
        self.ended = time.time()
        self.write(force=True)

    @classmethod
    def read(cls, path: Path) -> "RunStatus":
        """Reads the file.

        Raises:
            VidsimError: there is none, or it is damaged.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            names = {item.name for item in fields(JobStatus)}
            made = [{k: v for k, v in job.items() if k in names} for job in content["jobs"]]
            jobs = [JobStatus(**{**job, "state": State(job["state"])}) for job in made]
            own = {k: content[k] for k in ("command", "process", "host", "began", "updated")}
            named = {job.name: job for job in jobs}
            return cls(path, jobs=named, ended=content["ended"], **own)
        except FileNotFoundError:
            raise VidsimError(
                f"{path}: no jobs were run with this save folder; --save-dir names another, and "
                "--executor starts jobs"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VidsimError(f"{path}: not a status of jobs ({error})") from None
