"""`vidsim cluster status`: how far the jobs of a save folder are, from any terminal."""

import os
import socket
import sys
import time
from collections import Counter

from rich.console import Console
from rich.text import Text

from vidsim.cluster.display import duration, finished_table, running_table
from vidsim.cluster.process import last_lines
from vidsim.cluster.run import LOGS, STATUS
from vidsim.cluster.status import WRITE_SECONDS, RunStatus, State
from vidsim.config import Common
from vidsim.errors import VidsimError

_SILENT = 15 * WRITE_SECONDS


def run(common: Common, address: str | None) -> None:
    """Prints the nodes of a cluster, where an address is given, and the jobs of --save-dir.

    Args:
        common: its save folder.
        address: of a Ray cluster; None for jobs only.

    Raises:
        VidsimError: there is no such cluster, or there were no jobs.
    """
    console = Console(file=sys.stdout, highlight=False, markup=False)
    path = common.save_dir / STATUS
    if address is not None:
        _show_nodes(address, console)
        if not path.exists():
            return
    status = RunStatus.read(path)
    for line in _heading(status):
        console.print(Text(line), soft_wrap=True)
    if status.ended is None:
        console.print(running_table(status, common.save_dir / LOGS))
    console.print(finished_table(status))
    for job in status.of(State.FAILED):
        console.print(Text(f"{job.name}: FAILED: {job.reason}"), soft_wrap=True)
        for line in last_lines(common.save_dir / LOGS, job.name, 3):
            console.print(Text(f"    {line}"), soft_wrap=True)


def _heading(status: RunStatus) -> list[str]:
    now = time.time()
    done, count = len(status.of(State.DONE)), len(status.jobs)
    line = f"{status.command}: {done} of {count} jobs done"
    if status.ended is not None:
        return [f"{line}; ended {duration(now - status.ended)} ago"]
    silent = now - status.updated
    gone = status.host == socket.gethostname() and not _lives(status.process)
    if gone or silent > _SILENT:
        return [
            line,
            f"process {status.process} on {status.host} has not been heard of for "
            f"{duration(silent)}: the same command goes on from here",
        ]
    return [f"{line}; process {status.process} on {status.host}, {duration(now - status.began)}"]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _show_nodes(address: str, console: Console) -> None:
    from vidsim.cluster.ray_cluster import connect, node_name

    if address == "local":
        raise VidsimError("--address local is a cluster that lives in another command")
    ray = connect(address)
    try:
        nodes, free = ray.nodes(), ray.available_resources()
        states = Counter("alive" if node["Alive"] else "dead" for node in nodes)
        said = ", ".join(f"{count} {state}" for state, count in states.items())
        console.print(f"Ray cluster at {address}: nodes {said}")
        for node in nodes:
            if node["Alive"]:
                has = node["Resources"]
                parts = (f"{has.get(name, 0):g} {name}" for name in ("CPU", "GPU"))
                name = node_name(node["NodeManagerHostname"], node["NodeID"])
                console.print(Text(f"  {name}: {', '.join(parts)}"))
        console.print(f"  free: {free.get('CPU', 0):g} CPU, {free.get('GPU', 0):g} GPU")
    finally:
        ray.shutdown()
