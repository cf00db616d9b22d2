"""Keras's start: in float32 on TensorFlow whatever keras.json says, and without a word."""

import json
import os
import subprocess
import sys

import pytest

from vidsim import keras_start
from vidsim.errors import VidsimError

CODE = """
from vidsim.keras_start import start_keras
start_keras()
import keras
import tensorflow as tf
tf.function(lambda x: tf.cast(x, tf.float32) + 1)(tf.zeros((2, 3), tf.float16))
for size in range(1, 9):
    tf.function(lambda x: x + 1)(tf.zeros(size))
assert (keras.config.floatx(), keras.config.backend()) == ("float32", "tensorflow")
"""


def test_silent_and_not_led_astray_by_the_settings_of_other_work(tmp_path):
    settings = {"floatx": "float64", "backend": "torch", "epsilon": 1e-3}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    left_out = ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")
    environment = {k: v for k, v in os.environ.items() if k not in left_out}
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        env=environment | {"KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("environment", "threads"),
    [({}, 1), ({"TF_CPP_MIN_LOG_LEVEL": "1"}, 1), ({"TF_NUM_INTRAOP_THREADS": "2"}, 0)],
)
def test_threads_of_an_operation(environment, threads):
    """0 is TensorFlow's word for its own choice, which is what the variable says."""
    code = """
from vidsim.keras_start import start_keras
start_keras(op_threads=1)
import tensorflow as tf
tf.zeros(1) + 1
start_keras(op_threads=3)
print(tf.config.threading.get_intra_op_parallelism_threads())
"""
    left_out = ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND", "TF_NUM_INTRAOP_THREADS")
    kept = {k: v for k, v in os.environ.items() if k not in left_out}
    run = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (0, f"{threads}\n"), run.stderr


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("torch", "KERAS_BACKEND=torch: vidsim runs on tensorflow or jax; unset it"),
        ("jaxx", "KERAS_BACKEND=jaxx"),
        ("jax", "KERAS_BACKEND=jax: jax is not installed"),
    ],
)
def test_a_backend_that_cannot_be_used(named, message, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", named)
    monkeypatch.setattr(keras_start.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VidsimError, match=message):
        keras_start.start_keras()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"backend": 3}', "\\xff"])
def test_a_damaged_keras_json_chooses_no_backend(text, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text(text)
    assert keras_start._backend() == "tensorflow"


def test_settings_that_keras_cannot_start_with(tmp_path, monkeypatch):
    """As its import fails then."""

    def fail(op_threads):
        raise AssertionError

    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras_start, "start_tensorflow", fail)
    with pytest.raises(AssertionError):
        keras_start.start_keras()  # not for its settings: there are none
    (tmp_path / "keras.json").write_text('{"floatx": "float8"}')
    with pytest.raises(VidsimError, match=r"keras\.json: Keras cannot start .*AssertionError"):
        keras_start.start_keras()
