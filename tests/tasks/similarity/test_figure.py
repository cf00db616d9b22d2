"""The figure is a PNG with a point per fold and the ensemble's lines, drawn without a display."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from vidsim.tasks.similarity.figure import draw_report
from vidsim.tasks.similarity.origin import Origin
from vidsim.tasks.similarity.report import Report
from vidsim.tasks.similarity.scores import ENSEMBLE, Scores


def made(names, folds, test, value=0.8, made_up=False):
    row = Scores({k: value for k in range(folds)}, value, value if test else None)
    scores = {name: row for name in (*names, ENSEMBLE)}
    origin = Origin("data/own", made_up, 9, 5, {}, {"mix": [42]}, [], {"vidsim": "0"}, None, "2026")
    return Report(scores, {name: 1.0 for name in names}, "svd", False, 9, 9, 0, 0, origin)


@pytest.fixture
def drawn(monkeypatch):
    """The axes of every figure saved."""
    axes = []
    save = Figure.savefig

    def keep(figure, *args, **kwargs):
        axes.extend(figure.axes)
        return save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return axes


@pytest.mark.parametrize(("folds", "test"), [(1, False), (11, True)])
def test_points_and_lines(tmp_path, drawn, folds, test):
    path = tmp_path / "ensemble" / "report.png"
    draw_report(made(["mix", "uniter"], folds, test), path)
    lines = drawn[0].get_lines()
    points = [line for line in lines if line.get_marker() == "o"]
    assert [len(line.get_ydata()) for line in points] == [folds, folds]
    marks = [line for line in lines if line.get_marker() == "D"]  # of each recipe on test_b
    assert [line.get_ydata().tolist() for line in marks] == [[0.8, 0.8]] * test
    # two means, the ensemble, the test line
    assert len(lines) - len(points) - len(marks) == 2 + 1 + test
    title = drawn[0].get_title(loc="left")
    assert title.startswith("data/own\n9 rated pairs out of fold, 0 of test_b;")
    assert drawn[0].get_xlabel() == "seed 42; vidsim 0; 2026"
    assert [label.get_text() for label in drawn[0].get_xticklabels()] == ["mix", "uniter"]
    assert imread(path).shape == (675, 900, 4)  # 6 x 4.5 inches at 150 dots
    assert np.ptp(imread(path)[..., :3], axis=(0, 1)).min() > 0.9  # not an empty sheet


def test_nothing_to_rank_is_no_error(tmp_path, drawn):
    report = made(["mix"], 2, test=True, value=float("nan"), made_up=True)
    draw_report(report, tmp_path / "report.png")
    assert "data/own (MADE-UP SAMPLE)\n" in drawn[0].get_title(loc="left")
    assert (tmp_path / "report.png").stat().st_size > 1000


def test_the_same_report_is_the_same_picture(tmp_path):
    for name in ("a.png", "b.png"):
        draw_report(made(["mix"], 3, test=True), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_matplotlib_is_loaded_only_to_draw():
    code = "import sys, vidsim.tasks.similarity.figure; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
