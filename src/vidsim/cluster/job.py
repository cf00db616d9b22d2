"""A job: one command line of vidsim, what it needs, and how an attempt at it ended."""

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class Resources:
    """What a job occupies while it runs.

    Attributes:
        cpus: processor cores.
        gpus: graphics processors; below 1, several jobs share one.
        memory_gb: main memory, in units of 10^9 bytes; 0: not counted.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_gb: float = 0.0


@dataclass(frozen=True)
class Job:
    """A command that may be run again at any time: what it has finished, it does not do again.

    Attributes:
        name: of its log, as finetune/mix/fold3.
        words: command and flags, as after `vidsim`.
        needs: names of jobs that must be done before.
        resources: what it occupies.
    """

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)


class End(Enum):
    """How an attempt ended."""

    DONE = "done"
    FAILED = "failed"  # by its own fault: it counts
    LOST = "lost"  # killed, or its node is gone: no fault of its own
    IN_USE = "in use"  # another process, perhaps one that was given up, works on its folder


@dataclass(frozen=True)
class Attempt:
    """An attempt that ended.

    Attributes:
        job: its name.
        end: how.
        node: where; "" where that is not known.
        seconds: from start to end; 0 where it never started.
        reason: in words, "" for one that is done.
    """

    job: str
    end: End
    node: str = ""
    seconds: float = 0.0
    reason: str = ""


def end_of_status(status: int) -> tuple[End, str]:
    """What a process's exit status means, and in words; below 0 it is a signal's number."""
    from vidsim.errors import FolderInUse

    if status == 0:
        return End.DONE, ""
    if status == FolderInUse.status:
        return End.IN_USE, "another process works on the same folder"
    if status in (-9, -15, 130, 137, 143):  # KILL and TERM, of a shell too; a stop by Ctrl-C
        number = {130: 2, 137: 9, 143: 15}.get(status, -status)
        perhaps = " (killed, perhaps as memory ran out)" if number == 9 else ""
        return End.LOST, f"ended by signal {number}{perhaps}"
    if status < 0:
        return End.FAILED, f"ended by signal {-status}"
    return End.FAILED, f"exit status {status}"
