"""The ensemble's result in numbers: a table for people, JSON for programs."""

import math
from dataclasses import asdict, dataclass, field
from textwrap import fill
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from vidsim.blending.fit import Fit
from vidsim.tasks.similarity.origin import Origin
from vidsim.tasks.similarity.scores import ENSEMBLE, Scores

WIDTH = 100
"""Columns of the table where the output is not a terminal that says its own width."""
_TEST_NAME = 8  # letters of the test videos' name in the table
_SINGLE_FOLDS = 4  # with more folds than this the table shows their mean and spread


@dataclass(frozen=True)
class Report:
    """Every score of one run of the ensemble stage, and what it was made from."""

    scores: dict[str, Scores]
    """By recipe, the ensemble last."""
    weights: dict[str, float]
    """By recipe; they add up to one."""
    blend: str
    """How the recipes were blended: a name in ``blend.BLENDS``."""
    raw: bool
    """Whether vectors were blended as they come, rather than scaled to length one."""
    videos: int
    """Videos in the submission."""
    pairs: int
    """Rated pairs pooled in the out-of-fold score."""
    left_out: int
    """Rated pairs in no validation part of the folds used."""
    trained_on: int | None
    """Validation pairs, over the folds, that are in the fold's training part too, because they were
    rated twice; None where that was not counted."""
    origin: Origin
    """Data, runs and versions."""
    test_pairs: int = 0
    """Rated pairs of test_b; 0 without labels."""
    notes: list[str] = field(default_factory=list)
    """What a reader must know besides the numbers."""
    fit: Fit | None = None
    """What fitted weights are worth; None where they are not fitted."""

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds used."""
        return list(self.scores[ENSEMBLE].folds)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists; NaN, which JSON has not, becomes null."""
        rows = {
            name: {
                "weight": self.weights.get(name),
                "folds": {str(fold): _number(value) for fold, value in row.folds.items()},
                "fold_mean": _number(row.fold_mean),
                "fold_spread": _number(row.fold_spread),
                "out_of_fold": _number(row.out_of_fold),
                "test_b": _number(row.test_b),
            }
            for name, row in self.scores.items()
        }
        return {
            "spearman": rows,
            "fit": self.fit.to_json() if self.fit else None,
            "blend": self.blend,
            "raw": self.raw,
            "videos": self.videos,
            "pairs": {
                "out_of_fold": self.pairs,
                "left_out": self.left_out,
                "in_training_too": self.trained_on,
                "test_b": self.test_pairs,
            },
            "notes": self.notes,
            "origin": asdict(self.origin),
        }


def print_report(report: Report, console: Console | None = None) -> None:
    """Prints the table and what it rests on; plain text where the output is no terminal."""
    console = console or Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(_table(report))
    lines = [report.origin.data_line(), _out_of_fold(report)]
    if report.test_pairs:
        lines.append(
            f"{report.origin.test}: {report.test_pairs:,} rated pairs, mean of the folds' vectors"
        )
    for line in [*lines, *report.notes, report.origin.code_line()]:
        text = fill(line, console.width, break_long_words=False, break_on_hyphens=False)
        console.print(text, soft_wrap=True)  # so that a long path is not cut in two


def _out_of_fold(report: Report) -> str:
    """What the out-of-fold score rests on: whether its models have seen the pairs."""
    if report.trained_on == 0:
        seen = ", each scored only by models that were not trained on it"
    elif report.trained_on is None:
        seen = (
            ", scored by models of the fold that validates them; some are rated twice, and whether "
            "those are in its training part too was not counted when the folds were written"
        )
    else:
        seen = (
            ", scored by models of the fold that validates them; "
            f"{report.trained_on:,} validation pairs are in its training part too, because they "
            "are rated twice (write_tfrecord.py --group-by-video makes folds without such pairs)"
        )
    left_out = f"; {report.left_out:,} in no validation part used" if report.left_out else ""
    return f"out-of-fold: {report.pairs:,} rated pairs{seen}{left_out}"


def _table(report: Report) -> Table:
    table = Table(title="Spearman", title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    table.add_column("recipe", no_wrap=True, max_width=16)
    few = len(report.folds) <= _SINGLE_FOLDS
    folds = [f"fold {fold}" for fold in report.folds] if few else ["spread", "lowest", "highest"]
    test = [report.origin.test[:_TEST_NAME]] if report.test_pairs else []
    for heading in ["weight", "fold mean", *folds, "out-of-fold", *test]:
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    for name, row in report.scores.items():
        values = list(row.folds.values())
        cells = [
            report.weights.get(name),
            row.fold_mean,
            *(values if few else [row.fold_spread, float(np.min(values)), float(np.max(values))]),
            row.out_of_fold,
            *([row.test_b] if test else []),
        ]
        if name == ENSEMBLE:
            table.add_section()
        table.add_row(name, *map(_cell, cells), style="bold" if name == ENSEMBLE else None)
    return table


def _cell(value: float | None) -> str:
    return "" if value is None else "n/a" if math.isnan(value) else f"{value:.4f}"


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
