"""Says how far a long step of the ensemble is: a bar in a terminal, else a line now and then."""

import sys
import time
from typing import Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vidsim.blending.row_source import RowSource

SILENCE = 2.0
"""Seconds without a line, where the output is no terminal, before the next one is due."""


class StepProgress:
    """How far the step in progress is. Use it as a context manager.

    Args:
        console: where to; default: standard output.
    """

    def __init__(self, console: Console | None = None):
        console = console or Console(file=sys.stdout, highlight=False, markup=False)
        self._console = console
        self._what, self._unit, self._total, self._done = "", "", 0, 0
        self._said = self._began = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
            text = TextColumn("{task.description}", markup=False)
            self._bar = Progress(text, *columns, console=console, transient=True)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, what: str, total: int, unit: str) -> None:
        """Begins the next step.

        Args:
            what: the step as the user reads it, e.g. "submission".
            total: how many units it has.
            unit: their name, e.g. "videos".
        """
        self._what, self._total, self._unit, self._done = what, total, unit, 0
        self._began = time.monotonic()
        if self._bar:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(f"{what}, {unit}", total=total)

    def advance(self, count: int = 1) -> None:
        """That many units more are done."""
        if not count:
            return
        self._done = min(self._done + count, self._total)
        if self._bar:
            self._bar.update(self._bar.task_ids[-1], completed=self._done)
            return
        now = time.monotonic()
        ended = self._done == self._total and now - self._began >= SILENCE
        if ended or now - self._said >= SILENCE:
            print(
                f"{self._what}: {self._done:,} of {self._total:,} {self._unit}",
                file=self._console.file,
                flush=True,
            )
            self._said = now


class WatchedRows:
    """A ``RowSource`` that tells a progress how many rows were read by slice.

    Args:
        source: (N, D).
        progress: its step counts rows.

    Attributes:
        shape: (N, D).
    """

    def __init__(self, source: RowSource, progress: StepProgress):
        self._source, self._progress, self.shape = source, progress, source.shape

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """The rows (K, D), as the source gives them."""
        found = self._source[rows]
        if isinstance(rows, slice):
            self._progress.advance(len(found))
        return found
