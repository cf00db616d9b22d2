"""Which classes are taken for which: a picture of the most frequent ones.

matplotlib is imported when a figure is drawn, not before: it takes a second.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidsim.files import atomic_file
from vidsim.metrics.classification import confusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 20
"""Classes shown; further ones are one row and one column."""
_NAME = 18  # letters of a class's name
_UPRIGHT = 3  # letters that fit below a cell
_FEW = "others"
_DPI = 150
_DARK = 0.55  # share from which a cell is dark


def confusion_table(
    truth: np.ndarray, predicted: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the most frequent classes, and of all others together where there are more.

    Args:
        truth: (N,) int, class numbers from 0.
        predicted: (N,) int.
        classes: C, how many there are.

    Returns:
        (K,) the classes shown, by their number of videos, most first, equal ones by number: at most
        MOST, each with a video. And counts (K, K), or (K + 1, K + 1) where some are left out: a row
        a true class, a column a predicted one.
    """
    counts = confusion(truth, predicted, classes)
    videos = counts.sum(axis=1)
    order = np.argsort(-videos, kind="stable")[:MOST]
    shown = order[videos[order] > 0]
    rest = np.setdiff1d(np.arange(classes), shown)
    if not counts[rest].any() and not counts[:, rest].any():
        return shown, counts[np.ix_(shown, shown)]
    place = np.full(classes, len(shown))
    place[shown] = np.arange(len(shown))
    table = np.zeros((len(shown) + 1, len(shown) + 1), np.int64)
    np.add.at(table, (place[:, None], place[None, :]), counts)
    return shown, table


def draw_confusion(
    truth: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    title: str,
    path: Path,
) -> None:
    """Draws the share of each class's videos that is taken for each class, with the counts.

    Args:
        truth: (N,) int, class numbers from 0.
        predicted: (N,) int.
        names: C, of the classes.
        title: what was judged.
        path: the PNG; written whole or not at all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown, counts = confusion_table(truth, predicted, len(names))
    labels = [_short(names[int(k)]) for k in shown]
    labels += [_FEW] * (len(counts) - len(shown))
    side = max(4.5, 2.2 + 0.36 * len(counts))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _write_counts(axes, counts, shares)
    places = range(len(counts))
    axes.set_xticks(places, labels, size=8)
    if max(map(len, labels)) > _UPRIGHT:
        axes.tick_params(axis="x", labelrotation=60)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(places, labels, size=8)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class, most videos first")
    axes.set_title(title, loc="left", size=9)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="share of the true class's videos", shrink=0.7)
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})


def _write_counts(axes: "Axes", counts: np.ndarray, shares: np.ndarray) -> None:
    """The numbers other than 0, smaller where they have many digits."""
    for row, column in np.argwhere(counts > 0).tolist():
        text = str(counts[row, column])
        colour = "white" if shares[row, column] > _DARK else "black"
        size = min(8.0, 21.0 / len(text))  # a cell is about 0.3 inches, 21 points, wide
        axes.text(column, row, text, ha="center", va="center", color=colour, size=size)


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
