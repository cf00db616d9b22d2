"""The benchmark of a device runs, without TensorFlow and PyTorch; its times are nobody's test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NOT_NEEDED = ("tensorflow", "transformers", "torch")


@pytest.fixture
def environment(tmp_path):
    """One in which those packages can be found but not imported."""
    for name in NOT_NEEDED:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise AssertionError(__name__)")
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(BENCHMARKS), *filter(None, sys.path)]),
        "JAX_PLATFORMS": "cpu",
        "PYTHONWARNINGS": "ignore",
    }


def python(environment, *words):
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_compares_losses_and_prints_a_row_for_each_stage(environment):
    script, flags = str(BENCHMARKS / "device.py"), ["--size", "tiny", "--recipes", "uniter"]
    printed = python(environment, script, *flags, "--stages", "finetune", "--steps", "0")
    assert "no GPU is at hand" in printed
    assert "uniter finetune: losses" in printed and "at most: within 0.001" in printed
    assert "|" not in printed
    flags += ["--stages", "embed", "--batch-sizes", "1,2", "--steps", "1"]
    printed = python(environment, script, *flags)
    rows = [line for line in printed.splitlines() if line.startswith("| uniter")]
    assert [row.split(" | ")[1:3] for row in rows] == [["embed", "1"], ["embed", "2"]]
    assert all(len(row.split("|")) == 11 for row in rows)


def test_what_it_stands_on_imports_no_other_framework(environment):
    """KERAS_BACKEND=jax and nothing else: models, objectives and optimizer as they are."""
    code = "import device_steps, sys; print(*sys.modules)"
    imported = python(environment | {"KERAS_BACKEND": "jax"}, "-c", code).split()
    assert {"jax", "vidsim.models.task_model", "vidsim.training.optimizer"} <= set(imported)
    assert not {name.partition(".")[0] for name in imported} & set(NOT_NEEDED)


def test_the_longest_name_in_the_table_wins(environment):
    code = "from device_times import peak_rate as p; print(*(p(n) for n in sys.argv[1:]))"
    names = ["NVIDIA H200", "NVIDIA H100 PCIe", "NVIDIA A100-SXM4-40GB", "Tesla T4", "cpu"]
    rates = python(
        environment | {"KERAS_BACKEND": "jax"}, "-c", f"import sys; {code}", *names
    ).split()
    assert rates == ["989000000000000.0", "756000000000000.0", "312000000000000.0",
                     "65000000000000.0", "None"]  # fmt: skip
