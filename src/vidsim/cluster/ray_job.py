"""What a worker of Ray does for one job: starts its process and waits for it."""

import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from vidsim.cluster import node_check, process
from vidsim.cluster.job import End, end_of_status

_LOOK, _TOUCH = 0.1, 5.0  # seconds between looks at the process, and between touches of its mark


def run_job(
    logs: str, job: str, words: Sequence[str], folder: str, software: node_check.Facts
) -> tuple[str, str, float, str]:
    """Runs a job's command in a process of its own.

    Args:
        logs: folder of logs.
        job: its name.
        words: command and flags, as after `vidsim`.
        folder: current folder of the command.
        software: what the scheduler's machine has.

    Returns:
        the End's value, node, seconds, reason.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a cluster that `nohup ... &` started
        signal.signal(signal.SIGINT, signal.default_int_handler)
    node = _node()
    differing = node_check.software_differences(software, node_check.software())
    if differing:  # a node that came later has not been compared yet
        return End.FAILED.value, node, 0.0, f"node {node}: {'; '.join(differing)}"
    os.chdir(folder)
    began, mark = time.monotonic(), process.running_mark(Path(logs), job)
    running = process.start(Path(logs), job, words, node, _environment())
    touched = began
    try:
        while running.poll() is None:
            time.sleep(_LOOK)
            if time.monotonic() - touched > _TOUCH:
                touched = time.monotonic()
                mark.touch()
    except KeyboardInterrupt:  # how Ray cancels a task
        process.stop(running)
        running.wait()
    finally:
        mark.unlink(missing_ok=True)
    end, reason = end_of_status(running.returncode)
    return end.value, node, time.monotonic() - began, reason


def _environment() -> dict[str, str | None]:
    """Ray sets a number of threads, on which the last bits of results may depend."""
    import ray

    cores = ray.get_runtime_context().get_assigned_resources().get("CPU", 0)
    ours = os.environ.get("OMP_NUM_THREADS") == str(max(int(cores), 1))
    return {"OMP_NUM_THREADS": None} if ours else {}


def _node() -> str:
    import ray

    return f"{socket.gethostname()} ({ray.get_runtime_context().get_node_id()[:8]})"
