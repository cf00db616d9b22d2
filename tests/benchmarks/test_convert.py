"""benchmarks/convert.py goes through at the smallest numbers; its times are nobody's test."""

import importlib
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_every_row_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    benchmark = importlib.import_module("convert")
    monkeypatch.setattr(sys, "argv", ["convert", "--videos", "3", "--rows", "8"])
    monkeypatch.setattr(benchmark, "measure", lambda words: (benchmark.vidsim(words) or 1.0, 2.0))
    benchmark.main()
    out = capsys.readouterr().out
    for row in ("| 3 of 32 x 1536 | 1.0 | 3 |", "| 4 | 1.0 | 4 | 2 |", "| 8 | 1.0 | 8 | 2 |"):
        assert row in out
    assert sys.modules.pop("convert") is benchmark
