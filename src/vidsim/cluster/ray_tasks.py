"""Jobs as tasks of a Ray cluster: Ray says where each runs, files say what is done.

Of Ray's own recovery nothing is used: a task is tried once, and what became of it is told to the
scheduler. Only a status comes back through Ray (an object dies with its owner).
"""

import os
import time
from pathlib import Path
from typing import Any

from vidsim.cluster import node_check, process
from vidsim.cluster.configs import ExecutorConfig
from vidsim.cluster.job import Attempt, End, Job
from vidsim.cluster.ray_cluster import ANSWER_SECONDS, check_nodes, connect, within
from vidsim.cluster.ray_job import run_job

SILENT_SECONDS = 120.0
"""After which a job is given up whose worker has not touched its mark."""
_LOOK_SECONDS = 5.0  # between two looks at the cluster


class RayExecutor:
    """Gives Ray one task for each job.

    Args:
        config: the cluster's address, and what a job occupies.
        logs: folder of the jobs' logs, which all nodes must see.
    """

    def __init__(self, config: ExecutorConfig, logs: Path):
        self._ray = connect(config.address or "auto")
        self._config, self._logs = config, logs.absolute()
        self._software = node_check.software()
        self._tasks: dict[str, Any] = {}  # the task of each job that has not ended
        self._heard: dict[str, tuple[float, float]] = {}  # its mark's time, and when that was seen
        self._looked = time.monotonic()
        # a worker may serve many jobs: what holds a GPU's memory is the job's own process
        self._run = self._ray.remote(max_retries=0)(run_job)
        self.cpus_per_job = config.cpus_per_job or 1.0
        self.has_gpus = self._ray.cluster_resources().get("GPU", 0) > 0

    @property
    def slots(self) -> int:
        """As many as the cores of all nodes allow, or --jobs."""
        cores = self._ray.cluster_resources().get("CPU", 1)
        return self._config.jobs or max(int(cores / self.cpus_per_job), 1)

    def check(self, places: node_check.Places) -> None:
        """Asks every node that is alive."""
        check_nodes(self._ray, places)

    def has_room(self, job: Job) -> bool:
        """Always, unless --jobs is given: Ray has a queue."""
        return self._config.jobs is None or len(self._tasks) < self._config.jobs

    def submit(self, job: Job) -> None:
        """Gives it to Ray's queue."""
        needed = job.resources
        task = self._run.options(
            num_cpus=needed.cpus,
            num_gpus=needed.gpus,
            memory=int(needed.memory_gb * 1e9) or None,
            name=job.name,
        )
        process.running_mark(self._logs, job.name).unlink(missing_ok=True)
        arguments = (str(self._logs), job.name, job.words, os.getcwd(), self._software)
        self._tasks[job.name] = task.remote(*arguments)
        self._heard.pop(job.name, None)

    def running(self) -> dict[str, str]:
        """Those whose process has written its mark."""
        marks = {name: process.read_mark(self._logs, name) for name in self._tasks}
        return {name: str(mark["node"]) for name, mark in marks.items() if mark}

    def poll(self) -> list[Attempt]:
        """Asks Ray for tasks that ended; looks for those that have been silent too long."""
        names, ended = {task: name for name, task in self._tasks.items()}, []
        if names:
            ready, _ = self._ray.wait(list(names), num_returns=len(names), timeout=0)
            ended = [self._ended(names[task], task) for task in ready]
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            within(ANSWER_SECONDS, self._ray.nodes, "the Ray cluster does not answer any more")
            ended += self._silent({attempt.job for attempt in ended})
            self._looked = time.monotonic()
        for attempt in ended:
            del self._tasks[attempt.job]
        return ended

    def cancel(self, job: str) -> None:
        """Interrupts the task, which passes it on to its process."""
        self._ray.cancel(self._tasks[job])

    def close(self) -> None:
        """Interrupts what is left and leaves the cluster."""
        waiting = list(self._tasks.values())
        for task in waiting:
            self._ray.cancel(task)
        if waiting:
            self._ray.wait(waiting, num_returns=len(waiting), timeout=process.PATIENCE)
        self._ray.shutdown()

    def _ended(self, job: str, task: Any) -> Attempt:
        errors = self._ray.exceptions
        try:
            end, node, seconds, reason = self._ray.get(task)
            return Attempt(job, End(end), node, seconds, reason)
        except errors.TaskCancelledError:
            return Attempt(job, End.LOST, reason="cancelled")
        except errors.OutOfMemoryError:
            return Attempt(job, End.FAILED, reason="Ray ended it, as its node was out of memory")
        except errors.RayTaskError as error:
            return Attempt(job, End.FAILED, reason=str(error).strip().splitlines()[-1])
        except errors.RayError as error:  # the worker or its node died
            return Attempt(job, End.LOST, reason=type(error).__name__)

    def _silent(self, ended: set[str]) -> list[Attempt]:
        """Jobs whose mark nobody has touched for long, though Ray takes them for running."""
        lost = []
        for name, task in self._tasks.items():
            try:
                touched = process.running_mark(self._logs, name).stat().st_mtime
            except OSError:
                continue
            before, seen = self._heard.get(name, (0.0, 0.0))
            if touched != before:
                self._heard[name] = touched, time.monotonic()
            elif time.monotonic() - seen > SILENT_SECONDS and name not in ended:
                self._ray.cancel(task, force=True)
                lost.append(Attempt(name, End.LOST, reason="nothing was heard of it"))
        return lost
