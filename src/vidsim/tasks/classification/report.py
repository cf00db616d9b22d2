"""The marks of classification's ensemble: a table for people, JSON for programs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ENSEMBLE = "ensemble"
WIDTH = 100
"""Columns of the table where the output is not a terminal that says its own width."""
_SHOWN = ("mean_f1", "accuracy", "macro_f1")


@dataclass(frozen=True)
class Marks:
    """What one recipe, or the ensemble, scores: metrics by name, as the evaluator gives them."""

    folds: dict[int, dict[str, float]]
    """Fold to the metrics on its validation videos, by the models of that fold."""
    out_of_fold: dict[str, float]
    """On the validation videos of all folds together, each by models that have not seen it."""
    test: dict[str, float] | None = None
    """On the test videos that have a category; None where none has."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries."""
        folds = {str(fold): metrics for fold, metrics in self.folds.items()}
        return {"folds": folds, "out_of_fold": self.out_of_fold, "test": self.test}


def print_report(marks: dict[str, Marks], weights: dict[str, float], notes: list[str]) -> None:
    """Prints mean F1, accuracy and macro F1; plain text where the output is no terminal."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(title="classification", title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    table.add_column("recipe", no_wrap=True, max_width=16)
    tested = any(row.test is not None for row in marks.values())
    parts = ["out-of-fold", *(["test"] if tested else [])]
    headings = [f"{part} {name}" for part in parts for name in _SHOWN]
    for heading in ["weight", "fold mean mean_f1", *headings]:
        table.add_column(heading, justify="right")
    for name, row in marks.items():
        of_folds = float(np.mean([found[_SHOWN[0]] for found in row.folds.values()]))
        cells = [_cell(weights.get(name)), _cell(of_folds)]
        cells += [_cell(row.out_of_fold[key]) for key in _SHOWN]
        cells += [_cell((row.test or {}).get(key)) for key in _SHOWN] if tested else []
        if name == ENSEMBLE:
            table.add_section()
        table.add_row(name, *cells)
    console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
