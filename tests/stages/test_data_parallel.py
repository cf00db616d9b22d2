"""Parity: two devices that share a batch train as one that has the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidsim.errors import VidsimError
from vidsim.layers.replicas import replicas
from vidsim.stages.data_parallel import data_parallel
from vidsim.training.configs import RunConfig
from vidsim.training.run_identity import make_identity

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("losses_on_devices.py")
RUNS = {"tensorflow": ("mix:pretrain", "uniter:finetune"), "jax": ("winner:pretrain",)}


@pytest.mark.parametrize("backend", RUNS)
def test_two_devices_train_as_one(backend):
    """Losses, gradients and moving statistics; an update that is not finite is skipped by both.

    In-batch negatives, frames among all of the batch, means over masked words or matched rows and
    batch normalisation need the other's rows.
    """
    run = subprocess.run(
        [sys.executable, str(SCRIPT), backend, *RUNS[backend]],
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    printed = json.loads(run.stdout)
    results = printed["runs"]
    assert len(results) == 2 * len(RUNS[backend])
    for name in RUNS[backend]:
        one, two = results[f"{name}:1"], results[f"{name}:2"]
        assert (one["devices"], two["devices"]) == (1, 2)
        assert (one["skipped"], two["skipped"]) == (1, 1)
        assert one["restored"] and two["restored"]
        assert len({losses["loss"] for losses in one["losses"]}) == 4  # the guard: it trains
        for before, after in zip(one["losses"], two["losses"], strict=True):
            assert after == pytest.approx(before, rel=1e-4), name
        assert len(one["norms"]) >= 30
        assert two["norms"] == pytest.approx(one["norms"], rel=1e-3, abs=1e-8), name
        # 23 videos, 7 at a time: what fills up a batch that cannot be divided is cut off again
        assert len(two["embeddings"]) == len(one["embeddings"]) == 23
        assert len({round(length, 4) for length in one["embeddings"]}) > 20
        assert two["embeddings"] == pytest.approx(one["embeddings"], rel=1e-3), name
        assert not one["left"] and not two["left"]  # a distribution for the whole process
    if backend == "jax":
        compiled = printed["compiled"]
        assert compiled["programs"] == 1 < compiled["shapes"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"devices": 99}, "--devices 99: this machine has"),
        ({"devices": 0}, "--devices 0: this machine has"),
    ],
)
def test_what_cannot_be_shared_is_refused(fields, words):
    with pytest.raises(VidsimError, match=words), data_parallel(RunConfig(**fields)):
        pass
    assert replicas().count == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"batch_size": 7},
            r"batch-size 7 \(from the recipe\) cannot be divided among --devices 2 ",
        ),
        ({"dtype_policy": "mixed_float16"}, "take mixed_bfloat16"),
    ],
)
def test_what_two_devices_cannot_share(fields, words):
    """Refused before anything is started, with the other flags."""
    config = RunConfig(**{"devices": 2} | fields)
    with pytest.raises(VidsimError, match=words):
        config.check_fields()


def test_the_number_of_devices_is_not_part_of_a_result():
    two = make_identity({"finetune": RunConfig(devices=2)})
    assert two == make_identity({"finetune": RunConfig()})
