"""Two ways of doing one thing, timed in turn: each in a process of its own, one at work at a time.

A side is a function that prepares and returns another, which does the work once and may return
figures (``{"videos": 64}``). Processes are started afresh, so that two frameworks share neither
threads nor memory; while one works the others wait for a word on a pipe.
"""

import importlib.metadata
import multiprocessing
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

Figures = dict[str, float]
Work = Callable[[], Figures | None]


@dataclass
class Times:
    """What one side took.

    Attributes:
        seconds: of every counted run.
        figures: what the last run returned, and ``peak_mb``, the memory of its own (`own_kib`).
    """

    seconds: list[float] = field(default_factory=list)
    figures: Figures = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Seconds of the middle run."""
        return statistics.median(self.seconds)

    def rate(self, what: str) -> float:
        """A figure of the work divided by its median time."""
        return self.figures[what] / self.median


def alternate(
    sides: Mapping[str, tuple[Callable[..., Work], tuple]], rounds: int, warm_up: int = 1
) -> dict[str, Times]:
    """Runs all sides one after the other, again and again.

    Args:
        sides: by name, what prepares a side and its arguments.
        rounds: counted runs of each.
        warm_up: runs before them that are not counted.
    """
    times = {name: Times() for name in sides}
    with ExitStack() as stack:
        asks = {
            name: stack.enter_context(_process(prepare, arguments))
            for name, (prepare, arguments) in sides.items()
        }
        for number in range(warm_up + rounds):
            for name, ask in asks.items():
                seconds, figures = ask()
                if number >= warm_up:
                    times[name].seconds.append(seconds)
                    times[name].figures = figures
    return times


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints a Markdown table."""
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def about(*modules: str) -> str:
    """The machine and the versions of modules that a table was made with, in one line."""
    owners = importlib.metadata.packages_distributions()  # tensorflow may be tensorflow-cpu's
    versions = [f"{name} {importlib.metadata.version(owners[name][0])}" for name in modules]
    return ", ".join([f"{_processor()}, {os.cpu_count()} cores", *versions])


def own_kib(pid: int | None) -> int:
    """RssAnon of a process: what it holds of its own, pages of mapped files left out; 0 if gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            found = re.search(r"^RssAnon:\s*(\d+)", file.read(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


@contextmanager
def _process(prepare: Callable[..., Work], arguments: tuple) -> Iterator[Callable[[], tuple]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, prepare, arguments), daemon=True)
    process.start()
    theirs.close()

    def ask() -> tuple[float, Figures]:
        peak = own_kib(process.pid)
        ours.send("go")
        while not ours.poll(0.01):
            peak = max(peak, own_kib(process.pid))
        seconds, figures = ours.recv()
        return seconds, figures | {"peak_mb": peak / 1024}

    try:
        ours.recv()  # it is ready
        yield ask
    finally:
        ours.close()
        process.join(10)
        process.terminate()


def _serve(pipe: Any, prepare: Callable[..., Work], arguments: tuple) -> None:
    work = prepare(*arguments)
    pipe.send("ready")
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        began = time.perf_counter()
        figures = work() or {}
        pipe.send((time.perf_counter() - began, figures))


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()
