"""The blend's result in numbers: a table for people, JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from vidsim.metrics.retrieval import RetrievalReport

ENSEMBLE = "ensemble"
"""The name that stands for the blend of all recipes wherever recipes are listed."""
_WIDTH = 100
_SHOWN = ("r_mean", "t2v_R@1", "t2v_R@5", "t2v_R@10", "v2t_R@1", "v2t_R@5", "v2t_R@10")


@dataclass(frozen=True)
class Marks:
    """Every mark of one run of the ensemble.

    Attributes:
        validation: of each fold, by recipe, the ensemble last: by the fold's own models.
        test: by recipe, by the models of all folds; {} where there are no test captions.
    """

    validation: Mapping[int, Mapping[str, RetrievalReport]]
    test: Mapping[str, RetrievalReport]

    @property
    def names(self) -> list[str]:
        """The recipes, the ensemble last."""
        return list(next(iter(self.validation.values())))

    def fold_mean(self, name: str) -> dict[str, float]:
        """The mean over the folds of each metric of a recipe.

        The folds have galleries of their own, so that marks are averaged and ranks are not pooled.
        """
        reports = [of[name].metrics for of in self.validation.values()]
        return {key: float(np.mean([marks[key] for marks in reports])) for key in reports[0]}

    def as_json(self) -> dict[str, Any]:
        """Plain dicts and numbers."""
        return {
            "validation": {
                str(fold): {name: report.as_json() for name, report in of.items()}
                for fold, of in self.validation.items()
            },
            "fold_mean": {name: self.fold_mean(name) for name in self.names},
            "test": {name: report.as_json() for name, report in self.test.items()},
        }


def print_marks(
    marks: Marks, weights: Mapping[str, float], notes: Sequence[str], console: Console | None = None
) -> None:
    """Prints a table of each part, with what it rests on; plain text where there is no terminal."""
    console = console or Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    folds = list(marks.validation)
    one = next(iter(marks.validation.values()))[ENSEMBLE]
    title = f"validation, mean of {len(folds)} folds" if len(folds) > 1 else f"fold {folds[0]}"
    lines = [f"fold {folds[0]}: {one.protocol}"]
    rows = {name: marks.fold_mean(name) for name in marks.names}
    console.print(_table(title, rows, weights, one))
    if marks.test:
        last = marks.test[ENSEMBLE]
        rows = {name: report.metrics for name, report in marks.test.items()}
        console.print(_table("test, models of all folds", rows, weights, last))
        lines.append(f"test: {last.protocol}")
    for line in [*lines, *notes]:
        text = fill(line, console.width, break_long_words=False, break_on_hyphens=False)
        console.print(text, soft_wrap=True)


def _table(
    title: str,
    rows: Mapping[str, Mapping[str, float]],
    weights: Mapping[str, float],
    report: RetrievalReport,
) -> Table:
    """The recipes' marks; under them chance and the interval of the report shown."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    table.add_column("recipe", no_wrap=True, max_width=16)
    for heading in ("weight", *_SHOWN):
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    for name, metrics in rows.items():
        weight = f"{weights[name]:.3f}" if name in weights else ""
        if name == ENSEMBLE:
            table.add_section()
        table.add_row(name, weight, *(f"{metrics[key]:.1f}" for key in _SHOWN))
    table.add_row("chance", "", *(f"{report.chance[key]:.1f}" for key in _SHOWN))
    bounds = [report.intervals[key] for key in _SHOWN]
    table.add_row("95 % interval", "", *(f"{low:.0f}-{high:.0f}" for low, high in bounds))
    return table
