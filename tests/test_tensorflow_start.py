"""Nothing is said where nothing is wrong."""

import os
import subprocess
import sys

CODE = """
from vidsim.tensorflow_start import start_tensorflow
start_tensorflow()
import tensorflow as tf
tf.function(lambda x: tf.cast(x, tf.float32) + 1)(tf.zeros((2, 3), tf.float16))
"""


def test_silent():
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    run = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
