"""Two sides in turn: what is counted, what comes back, and what a failing side does."""

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def counting(start):
    calls = [start]

    def work():
        calls[0] += 1
        return {"calls": calls[0]}

    return work


def failing():
    raise RuntimeError("it cannot be prepared")


@pytest.fixture
def sides(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("sides")
    sys.modules.pop("sides")


def test_each_side_runs_in_turn_and_warm_up_is_not_counted(sides):
    times = sides.alternate({"a": (counting, (0,)), "b": (counting, (10,))}, 3, warm_up=2)
    assert {name: len(taken.seconds) for name, taken in times.items()} == {"a": 3, "b": 3}
    assert times["a"].figures["calls"] == 5 and times["b"].figures["calls"] == 15
    assert times["a"].figures["peak_mb"] > 1
    assert times["a"].rate("calls") == 5 / times["a"].median


def test_a_side_that_fails_ends_the_benchmark(sides, capfd):
    with pytest.raises(EOFError):
        sides.alternate({"a": (failing, ())}, 1)
    assert "it cannot be prepared" in capfd.readouterr().err
