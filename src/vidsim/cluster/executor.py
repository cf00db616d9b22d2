"""What runs jobs: the protocol of executors, and which there are."""

from importlib import import_module
from pathlib import Path
from typing import Protocol

from vidsim.cluster.configs import ExecutorConfig
from vidsim.cluster.job import Attempt, Job
from vidsim.cluster.node_check import Places

EXECUTORS = {
    "local": "vidsim.cluster.local:LocalExecutor",
    "ray": "vidsim.cluster.ray_tasks:RayExecutor",
}
"""Name to module and class. Another system of jobs is one more file and one line here."""


class Executor(Protocol):
    """Runs each job that it is given once; files are all that jobs leave behind.

    Whatever ends an attempt, the executor's own failures too, is told by `poll`; nobody but the
    scheduler tries again. A class is made with (ExecutorConfig, logs: Path).

    Attributes:
        slots: how many jobs of the usual resources run side by side, as far as is known now.
        cpus_per_job: cores that a job occupies where nobody says.
        has_gpus: whether there are any.
    """

    @property
    def slots(self) -> int: ...
    @property
    def cpus_per_job(self) -> float: ...
    @property
    def has_gpus(self) -> bool: ...

    def check(self, places: Places) -> None:
        """Compares every node with this one, before anything runs.

        Args:
            places: of the files, absolute paths.

        Raises:
            VidsimError: a difference, with the node and the value.
        """
        ...

    def has_room(self, job: Job) -> bool:
        """Whether a job should be given now. One that no node could ever run: an error."""
        ...

    def submit(self, job: Job) -> None:
        """Starts a job, or puts it into a queue."""
        ...

    def running(self) -> dict[str, str]:
        """The jobs that have started and not ended, and their nodes."""
        ...

    def poll(self) -> list[Attempt]:
        """The attempts that ended since the last call.

        Raises:
            VidsimError: the whole cluster is gone.
        """
        ...

    def cancel(self, job: str) -> None:
        """Asks a job to stop, which saves its state; `poll` tells when it has."""
        ...

    def close(self) -> None:
        """Ends what is still running and frees everything."""
        ...


def make_executor(config: ExecutorConfig, logs: Path) -> Executor:
    """The executor that --executor names.

    Raises:
        VidsimError: what it needs is not installed or not reachable.
    """
    module, _, name = EXECUTORS[config.executor or "local"].partition(":")
    return getattr(import_module(module), name)(config, logs)
