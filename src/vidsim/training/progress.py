"""Shows a run's progress: a live bar in a terminal, plain lines everywhere else."""

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

_NOT_SHOWN = ("examples_per_s", "seconds_left", "lr", "bert_lr", "gradient_norm")


class ProgressDisplay:
    """A listener of TrainingLog that prints. Use it as a context manager.

    Args:
        title: what is running, e.g. "finetune mix fold 3".
        total: updates in the run.
        unit: what an example is, "videos" or "pairs".
    """

    def __init__(self, title: str, total: int, unit: str):
        self.title, self.total, self.unit = title, total, unit
        self._console = Console(file=sys.stdout, highlight=False)
        self._bar: Progress | None = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                TextColumn("{task.completed}/{task.total} {task.fields[text]}"),
                console=self._console,
            )
            self._task = self._bar.add_task(title, total=total, text="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int, values: dict[str, float]) -> None:
        text = describe(values, self.unit)
        if self._bar is None:
            print(f"{self.title}  step {done}/{self.total}  {text}", flush=True)
        elif any(name.startswith("val_") for name in values):
            self._bar.print(f"{self.title}  step {done}/{self.total}  {text}")
        else:
            self._bar.update(self._task, completed=done, text=text)


def describe(values: dict[str, float], unit: str) -> str:
    """One line of numbers: losses by name, speed, time left. What else is logged is not shown."""
    words = [f"{name} {value:.4g}" for name, value in values.items() if name not in _NOT_SHOWN]
    if "examples_per_s" in values:
        words.append(f"{values['examples_per_s']:.0f} {unit}/s")
    if values.get("seconds_left", 0) >= 1:
        minutes, seconds = divmod(round(values["seconds_left"]), 60)
        words.append(f"{minutes}:{seconds:02d} left")
    return "  ".join(words)
