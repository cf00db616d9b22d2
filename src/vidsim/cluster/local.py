"""Jobs as processes of this machine, its cores, GPUs and memory shared out."""

import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from vidsim.cluster import process
from vidsim.cluster.configs import ExecutorConfig
from vidsim.cluster.gpus import visible_gpus
from vidsim.cluster.job import Attempt, Job, Resources, end_of_status
from vidsim.cluster.node_check import Places
from vidsim.errors import VidsimError
from vidsim.processors import processors


@dataclass
class _Running:
    """A job that runs, and which GPUs are its own."""

    job: Job
    process: subprocess.Popen[bytes]
    gpus: tuple[str, ...]
    began: float


class LocalExecutor:
    """Keeps as many processes running as --jobs says and the machine has room for.

    Args:
        config: how many side by side, and what one occupies.
        logs: folder of the jobs' logs.
    """

    def __init__(self, config: ExecutorConfig, logs: Path):
        self._logs, self._node = logs, socket.gethostname()
        self._gpus = {name: 0.0 for name in visible_gpus()}  # what is occupied of each
        self.slots = config.jobs or max(len(self._gpus), 1)
        cores = float(processors())
        self._cores = max(cores, self.slots * (config.cpus_per_job or 0))  # --jobs may overbook
        if config.cpus_per_job and config.jobs is None:
            self.slots, self._cores = max(int(cores / config.cpus_per_job), 1), cores
        self.cpus_per_job = config.cpus_per_job or self._cores / self.slots
        self.has_gpus = bool(self._gpus)
        self._memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        self._running: dict[str, _Running] = {}

    def check(self, places: Places) -> None:
        """There is one node, this one."""

    def has_room(self, job: Job) -> bool:
        """Whether a slot, cores, GPUs and memory are free."""
        needed, used = job.resources, [entry.job.resources for entry in self._running.values()]
        if needed.memory_gb > self._memory or needed.gpus > len(self._gpus):
            raise VidsimError(
                f"{job.name} is to occupy {needed.memory_gb:g} GB and {needed.gpus:g} GPUs; this "
                f"machine has {self._memory:.0f} GB and {len(self._gpus)} GPUs"
            )
        return (
            len(used) < self.slots
            and sum(r.memory_gb for r in used) + needed.memory_gb <= self._memory
            and (not used or sum(r.cpus for r in used) + needed.cpus <= self._cores)
            and self._free_gpus(needed) is not None
        )

    def submit(self, job: Job) -> None:
        """Starts its process."""
        process.running_mark(self._logs, job.name).unlink(missing_ok=True)
        gpus, environment = self._free_gpus(job.resources) or (), {}
        for gpu in gpus:
            self._gpus[gpu] += job.resources.gpus / len(gpus)
        if self._gpus:
            environment = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
            if 0 < job.resources.gpus < 1:
                environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        started = process.start(self._logs, job.name, job.words, self._node, environment)
        self._running[job.name] = _Running(job, started, gpus, time.monotonic())

    def running(self) -> dict[str, str]:
        """Every job that was given and has not ended."""
        return dict.fromkeys(self._running, self._node)

    def poll(self) -> list[Attempt]:
        """Looks at every process."""
        ended = []
        for name, entry in list(self._running.items()):
            status = entry.process.poll()
            if status is None:
                continue
            del self._running[name]
            for gpu in entry.gpus:
                self._gpus[gpu] -= entry.job.resources.gpus / len(entry.gpus)
            process.running_mark(self._logs, name).unlink(missing_ok=True)
            end, reason = end_of_status(status)
            seconds = time.monotonic() - entry.began
            ended.append(Attempt(name, end, self._node, seconds, reason))
        return ended

    def cancel(self, job: str) -> None:
        """Sends SIGTERM."""
        process.stop(self._running[job].process)

    def close(self) -> None:
        """SIGTERM to all that are left, and SIGKILL to those that do not end."""
        for entry in self._running.values():
            process.stop(entry.process)
        deadline = time.monotonic() + process.PATIENCE
        for name, entry in self._running.items():
            try:
                entry.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                entry.process.kill()
                entry.process.wait()
            process.running_mark(self._logs, name).unlink(missing_ok=True)
        self._running.clear()

    def _free_gpus(self, needed: Resources) -> tuple[str, ...] | None:
        """Which a job would have; None where there is no room."""
        if needed.gpus == 0:
            return ()
        if needed.gpus < 1:
            shared = [gpu for gpu, used in self._gpus.items() if used + needed.gpus <= 1 + 1e-9]
            return (max(shared, key=self._gpus.__getitem__),) if shared else None
        free = [gpu for gpu, used in self._gpus.items() if used < 1e-9]
        return tuple(free[: round(needed.gpus)]) if len(free) >= round(needed.gpus) else None
