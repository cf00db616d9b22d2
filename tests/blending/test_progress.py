"""A long step says how far it is: by lines in a file, by a bar in a terminal."""

import io

import numpy as np
import pytest
from rich.console import Console

from vidsim.blending import progress
from vidsim.blending.progress import StepProgress, WatchedRows


@pytest.fixture
def clock(monkeypatch):
    """A clock that is moved by hand: clock[0] += seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_where_two_seconds_were_silent(clock):
    file = io.StringIO()
    with StepProgress(Console(file=file)) as steps:
        steps.step("blend", 4000, "videos")
        rows = WatchedRows(np.zeros((4000, 2)), steps)
        for start in range(0, 3000, 1000):
            clock[0] += 1.1
            assert rows[start : start + 1000].shape == (1000, 2)
        rows[np.array([3, 4])]  # rows by number are pairs', not the step's
        assert file.getvalue() == "blend: 2,000 of 4,000 videos\n"
        clock[0] += 0.5
        rows[3000:4000]
        steps.step("result.zip", 2, "videos")  # quick: nothing to say
        steps.advance(2)
        clock[0] += 9
        assert len(rows[:0]) == 0  # nothing was done: nothing to say
    assert file.getvalue().splitlines()[1:] == ["blend: 4,000 of 4,000 videos"]
    assert rows.shape == (4000, 2)


def test_a_bar_in_a_terminal():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=90, color_system=None)
    with StepProgress(console) as steps:
        for name in ("blend", "[bold]check"):
            steps.step(name, 7, "videos")
            steps.advance(3)
    shown = file.getvalue()
    assert "[bold]check, videos" in shown and "3/7" in shown
    assert "3 of 7" not in shown
