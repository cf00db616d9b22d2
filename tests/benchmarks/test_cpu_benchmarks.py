"""The benchmarks on a CPU go through at the smallest numbers; their times are nobody's test."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def rows(script, *flags):
    """The table rows that a benchmark prints, headers left out."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), "--rounds", "1", *flags],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    rules = [number for number, line in enumerate(lines) if line.startswith("| --- |")]
    headers = {number - 1 for number in rules} | set(rules)
    return [line.split("|")[1].strip() for n, line in enumerate(lines) if n not in headers]


def test_folds():
    flags = ["--videos", "60", "--pairs", "66", "--copied-pairs", "5"]
    assert rows("folds.py", *flags) == ["1", "4", "time", "bytes"]


def test_input_pipeline():
    found = rows("input_pipeline.py", "--videos", "300", "--sizes", "tiny")
    assert found == ["videos/s", "pairs/s", "tiny", "tiny"]


def test_embedding_of_videos():
    flags = ["--size", "tiny", "--videos", "4", "--batch-size", "2"]
    assert rows("embedding.py", *flags) == ["float32", "mixed_bfloat16"]


def test_training_step():
    if importlib.util.find_spec("torch") is None:
        pytest.skip("install torch (extra bench) to run the peer")
    flags = ["--size", "tiny", "--pairs", "2", "--tokens", "8", "--frames", "8"]
    both = ["float32", "bfloat16"]  # of batches with padding, and without
    assert rows("training_step.py", *flags) == [*both, *both, "8", "4", "2"]
