"""benchmarks/scale.py goes through at the smallest numbers; what it measures is not looked at."""

import contextlib
import importlib
import io
import sys
from pathlib import Path

import pytest

from vidsim.cli import main

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def scale(monkeypatch):
    """The benchmark as a module, with those beside it."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("scale")
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_ensemble_in_processes_of_its_own(scale, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(scale, "WIDTH", 8)
    plot = tmp_path / "plot.png"
    flags = ["--videos", "20", "--factors", "1,2", "--frames", "1", "--stages", "ensemble"]
    places = ["--folder", str(tmp_path), "--plot", str(plot)]
    scale.main([*flags, *places, "--ensemble-videos", "30"])
    out = capsys.readouterr().out
    for row in ("| ensemble | 20 |", "| ensemble | 40 |"):
        assert row in out
    whole = out.splitlines()[-1].split("|")
    assert whole[1].strip() == "66 x 30 x 8"
    assert all(float(number) > 0 for number in whole[2:6])
    assert plot.stat().st_size > 5000
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]


def test_pretraining_and_inference(scale, tmp_path, capsys, monkeypatch):
    """In this process, which has TensorFlow already."""

    def measure(arguments):
        said = io.StringIO()
        said.reconfigure = lambda **_: None
        with contextlib.redirect_stdout(said):
            assert main(arguments) == 0
        lines = said.getvalue().splitlines()
        return scale.Process(1.0, [(float(number), line) for number, line in enumerate(lines)])

    monkeypatch.setattr(scale, "measure", measure)
    flags = ["--videos", "12", "--factors", "1", "--frames", "1", "--steps", "2", "--batch", "4"]
    places = ["--folder", str(tmp_path), "--plot", str(tmp_path / "plot.png")]
    scale.main([*flags, *places, "--stages", "pretrain,inference", "--ensemble-videos", "0"])
    out = capsys.readouterr().out
    assert "| pretrain | 12 |" in out
    assert "| inference | 12 |" in out
    assert "| videos | s per epoch |" in out
    assert out.rstrip().endswith("| 12 | 3.00 | 250.000 | 1.00 |")  # 3 updates, a line each
