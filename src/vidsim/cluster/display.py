"""Shows jobs: while they run, a line each in a terminal, else one when it ends; then a table."""

import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vidsim.cluster.process import last_lines, log_path
from vidsim.cluster.status import JobStatus, RunStatus, State

LINES = 12
"""Running jobs that a terminal shows; the others are counted."""
_LOG_LINES = 8  # of a job that failed
_SHOW_SECONDS = 0.5


class Display:
    """What the user sees of a run.

    Args:
        logs: folder of the jobs' logs.
        console: where to; default: standard output.
    """

    def __init__(self, logs: Path, console: Console | None = None):
        self._logs = logs
        self._console = console or Console(file=sys.stdout, highlight=False, markup=False)
        self._live: Live | None = None
        self._shown = 0.0

    def show(self, status: RunStatus) -> None:
        """Brings the lines of running jobs up to date, where there is a terminal."""
        if not self._console.is_terminal or time.monotonic() - self._shown < _SHOW_SECONDS:
            return
        self._shown = time.monotonic()
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(running_table(status, self._logs), refresh=True)

    def ended(self, job: JobStatus, status: RunStatus) -> None:
        """A line of an attempt that ended."""
        where = f" on {job.node}" if job.node else ""
        if job.state is State.DONE:
            said = f"done in {job.seconds:.0f} s{where}"
        else:
            again = "; it is tried again" if job.state is State.WAITING else ""
            said = f"{job.reason}{where}{again}"
        self.say(f"{job.name}: {said} ({len(status.of(State.DONE))} of {len(status.jobs)} done)")

    def say(self, line: str) -> None:
        """A line of its own."""
        self._console.print(Text(line), soft_wrap=True)

    def close(self) -> None:
        """Takes the lines of running jobs away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def report(self, status: RunStatus) -> None:
        """In the end: what ran where, how long, how often, and the last words of what failed."""
        self._console.print(finished_table(status), Text(), node_table(status))
        for job in status.of(State.FAILED):
            self.say(f"{job.name}: FAILED: {job.reason}; {log_path(self._logs, job.name)} ends:")
            for line in last_lines(self._logs, job.name, _LOG_LINES):
                self.say(f"    {line}")
        skipped = status.of(State.SKIPPED)
        if skipped:
            self.say(f"not run, as they need what failed: {', '.join(j.name for j in skipped)}")


def running_table(status: RunStatus, logs: Path) -> Table:
    """A line for each running job: name, node, time, and the last line of its log."""
    table, now = Table.grid(padding=(0, 2), expand=True), time.time()
    for ratio in (None, None, None, 1):
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio)
    running = status.of(State.RUNNING)
    for job in running[:LINES]:
        last = "".join(last_lines(logs, job.name, 1))
        time_ = duration(job.so_far(now))
        table.add_row(*map(Text, (job.name, job.node, time_, last)))
    if len(running) > LINES:
        table.add_row(Text(f"and {len(running) - LINES} more"))
    counts = Counter(job.state.value for job in status.jobs.values())
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    table.add_row(Text("jobs", "bold"), Text(""), Text(duration(now - status.began)), Text(said))
    return table


def finished_table(status: RunStatus) -> Table:
    """Jobs by stage and recipe: how many, on how many nodes, how long, how often."""
    groups: dict[str, list[JobStatus]] = {}
    for job in status.jobs.values():
        groups.setdefault(job.name.rpartition("/")[0] or job.name, []).append(job)
    table = _table("jobs", "done", "nodes", "seconds", "longest", "again", "lost")
    for name, jobs in groups.items():
        done = sum(job.state is State.DONE for job in jobs)
        nodes = len({job.node for job in jobs if job.node})
        table.add_row(
            *(name, f"{done} of {len(jobs)}", str(nodes)),
            f"{sum(job.seconds for job in jobs):.0f}",
            f"{max(job.seconds for job in jobs):.0f}",
            str(sum(max(job.attempts - 1, 0) for job in jobs)),
            str(sum(job.lost for job in jobs)),
        )
    return table


def node_table(status: RunStatus) -> Table:
    """Nodes: how many jobs were done on each, and how long they took."""
    groups: dict[str, list[JobStatus]] = {}
    for job in status.of(State.DONE):
        groups.setdefault(job.node, []).append(job)
    table = _table("node", "jobs", "seconds")
    for name, jobs in sorted(groups.items()):
        table.add_row(name, str(len(jobs)), f"{sum(job.seconds for job in jobs):.0f}")
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def duration(seconds: float) -> str:
    """As 0:07, 12:30 or 3:05:00."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
