"""A connection to a Ray cluster, within a time limit, and questions to all of its nodes."""

import os
import queue
import threading
import uuid
from collections.abc import Callable
from typing import Any

from vidsim.cluster import node_check
from vidsim.errors import VidsimError

START_SECONDS, ANSWER_SECONDS = 60.0, 60.0


def connect(address: str) -> Any:
    """Connects this process to a cluster.

    Args:
        address: auto, HOST:PORT, or local for one that lives as long as this process.

    Returns:
        the package ray.

    Raises:
        VidsimError: Ray is not installed, or there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise VidsimError(
            "--executor ray needs Ray, which is not installed; run: sh setup.sh ray, or "
            "pip install ray"
        ) from None
    flags: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == "local":
        flags["include_dashboard"] = False
    problem = (
        f"no Ray cluster at --address {address} (`ray start --head` starts one; --address local "
        "makes one of this machine alone)"
    )
    within(START_SECONDS, lambda: ray.init(address, **flags), problem)
    return ray


def within(seconds: float, call: Callable[[], Any], problem: str) -> Any:
    """What a call returns.

    Raises:
        VidsimError: it fails, or takes too long; some calls of Ray wait for ever.
    """
    answers: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put((call(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=ask, daemon=True).start()  # no one waits for it at the end
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise VidsimError(f"{problem}: no answer in {seconds:.0f} s") from None
    if error is not None:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise VidsimError(f"{problem}: {said[0]}") from None
    return answer


def check_nodes(ray: Any, places: node_check.Places) -> None:
    """Compares every node that is alive with this machine.

    Args:
        ray: the package, connected.
        places: of the files.

    Raises:
        VidsimError: a node that differs or does not answer.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = uuid.uuid4().hex
    node_check.put_probe(places.written, token)
    ask, asked = ray.remote(num_cpus=0, max_retries=0)(node_check.node_facts), {}
    for node in ray.nodes():
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answer = ask.options(scheduling_strategy=there).remote(places, token)
            asked[node_name(node["NodeManagerHostname"], node["NodeID"])] = answer
    found = {}
    for name, answer in asked.items():
        try:
            found[name] = ray.get(answer, timeout=ANSWER_SECONDS)
        except Exception as error:  # vidsim may not be there, or the node may not answer
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise VidsimError(f"node {name} cannot run vidsim: {said[-1]}") from None
    node_check.compare(node_check.node_facts(places, token), found)


def node_name(host: str, number: str) -> str:
    """How a node is called in logs and tables: several may be on one host."""
    return f"{host} ({number[:8]})"
