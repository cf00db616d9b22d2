"""A job's process: its log, the file that says it runs, and its end with the process it serves."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidsim.provenance import now

COMMAND = ("-m", "vidsim")
"""What Python runs."""
PARENT = "VIDSIM_PARENT"
"""Environment variable of a job's process: the number of the process that it must not outlive."""
PATIENCE = 300.0
"""Seconds that a job which was asked to stop has for finishing its step and saving its state."""
_LOOK = 0.5  # seconds between two looks at the parent


def log_path(logs: Path, job: str) -> Path:
    """The log of all attempts at a job."""
    return logs / f"{job}.log"


def start(
    logs: Path, job: str, words: Sequence[str], node: str, environment: Mapping[str, str | None]
) -> subprocess.Popen[bytes]:
    """Starts a job's process; what it says is appended to its log.

    Args:
        logs: folder of logs.
        job: its name.
        words: command and flags, as after `vidsim`.
        node: where this is, for the log.
        environment: changes of this process's own; None takes a variable away.
    """
    path = log_path(logs, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    changed = {**os.environ, **environment, PARENT: str(os.getpid())}
    environ = {name: value for name, value in changed.items() if value is not None}
    with path.open("ab", buffering=0) as log:
        title = f"== {now()} on {node}: vidsim {' '.join(words)}\n"
        log.write(title.encode(errors="replace"))
        process = subprocess.Popen(
            [sys.executable, *COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,  # Ctrl-C reaches the scheduler alone, which passes it on
        )
    mark = {"node": node, "process": process.pid, "began": now()}
    running_mark(logs, job).write_text(json.dumps(mark), encoding="utf-8")
    return process


def running_mark(logs: Path, job: str) -> Path:
    """The file that is there while a job's process is; it is touched again and again."""
    path = log_path(logs, job)
    return path.with_name(f".{path.stem}.running")


def read_mark(logs: Path, job: str) -> dict[str, Any] | None:
    """What stands in that file; None where there is none."""
    try:
        found = json.loads(running_mark(logs, job).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def stop(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to save its state and end."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)


def last_lines(logs: Path, job: str, count: int) -> list[str]:
    """The last lines of a job's log, those of its last attempt only."""
    try:
        with log_path(logs, job).open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - 200 * (count + 40), 0))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    begins = [number for number, line in enumerate(lines) if line.startswith("== ")]
    lines = lines[begins[-1] + 1 if begins else 0 :]
    return [line.rpartition("\r")[2] for line in lines if line.strip()][-count:]


def end_with_parent() -> None:
    """In a job's process: ends it when the one that started it is gone.

    A training run then finishes its step and saves its state first, as with Ctrl-C.
    """
    parent = os.environ.pop(PARENT, None)
    if parent is not None and parent.isdigit():
        threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os.kill(os.getpid(), signal.SIGKILL)
