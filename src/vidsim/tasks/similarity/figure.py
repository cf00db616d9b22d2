"""The report's one picture: how far the folds scatter, and what blending adds to any recipe.

matplotlib is imported when a figure is drawn, not before: it takes a second, and no display.
"""

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from vidsim.files import atomic_file
from vidsim.tasks.similarity.report import Report
from vidsim.tasks.similarity.scores import ENSEMBLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, told apart with any colour vision.
_POINT, _MEAN, _ENSEMBLE, _TEST = "#0072B2", "#000000", "#D55E00", "#009E73"
_DPI = 150
_NAME = 16  # letters of a recipe's name that fit beside its neighbours
_DATA = 36  # letters of the data folder's name
_TEST_NAME = 8  # letters of that of the test videos
_SMALL = 14  # small letters an inch


def draw_report(report: Report, path: Path) -> None:
    """Draws fold Spearman per recipe with the recipe's mean, and the ensemble as lines.

    Args:
        report: what to draw.
        path: the PNG; written whole or not at all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    recipes = [name for name in report.scores if name != ENSEMBLE]
    figure = Figure(figsize=(max(6.0, 1.0 + 1.3 * len(recipes)), 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_recipes(axes, report, recipes)
    _draw_ensemble(axes, report)
    axes.set_ylabel("Spearman")
    axes.set_title(_title(report), loc="left", size=10)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    made_by = fill(report.origin.code_line(), int(_SMALL * figure.get_figwidth()))
    axes.set_xlabel(made_by, loc="left", size=7, color="0.4")
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})


def _title(report: Report) -> str:
    """What was scored, in two lines."""
    origin = report.origin
    name = origin.data if len(origin.data) <= _DATA else f"…{origin.data[1 - _DATA :]}"
    made_up = " (MADE-UP SAMPLE)" if origin.made_up else ""
    folds = "1 fold" if len(report.folds) == 1 else f"{len(report.folds)} folds"
    return (
        f"{name}{made_up}\n{report.pairs:,} rated pairs out of fold, {report.test_pairs:,} of "
        f"{origin.test[:_TEST_NAME]}; {folds}, blend: {report.blend}"
    )


def _draw_recipes(axes: "Axes", report: Report, recipes: list[str]) -> None:
    for place, name in enumerate(recipes):
        values = list(report.scores[name].folds.values())
        # Folds side by side in their order, so that equal ones stay visible.
        strip = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(1)
        label = "one fold's model on its validation pairs" if place == 0 else None
        axes.plot(place + strip, values, "o", color=_POINT, alpha=0.75, markersize=5, label=label)
        mean = report.scores[name].fold_mean
        label = "mean of the recipe's folds" if place == 0 else None
        axes.plot(
            [place - 0.3, place + 0.3], [mean, mean], color=_MEAN, lw=2, zorder=1.5, label=label
        )
    tested = [(place, report.scores[name].test_b) for place, name in enumerate(recipes)]
    marks = [(place, value) for place, value in tested if value is not None and np.isfinite(value)]
    if marks:
        places, values = zip(*marks, strict=True)
        label = f"mean of the recipe's folds on {report.origin.test[:_TEST_NAME]}"
        places = np.array(places) + 0.34
        axes.plot(places, values, "D", color=_TEST, markersize=5, linestyle="", label=label)
    short = [name if len(name) <= _NAME else f"{name[: _NAME - 1]}…" for name in recipes]
    axes.set_xticks(range(len(recipes)), short)
    axes.set_xlim(-0.6, len(recipes) - 0.4)


def _draw_ensemble(axes: "Axes", report: Report) -> None:
    ensemble = report.scores[ENSEMBLE]
    lines = [("out of fold", ensemble.out_of_fold, _ENSEMBLE, "-")]
    if ensemble.test_b is not None:
        lines.append((f"on {report.origin.test[:_TEST_NAME]}", ensemble.test_b, _TEST, "--"))
    for where, value, colour, style in lines:
        if np.isfinite(value):
            label = f"ensemble {where}: {value:.4f}"
            axes.axhline(value, color=colour, linestyle=style, lw=1.8, label=label)
