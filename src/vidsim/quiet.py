"""TensorFlow's start without its chatter.

Its GPU-capable wheel writes several lines to the process's standard error before any log level
applies, the same ones on every machine without a GPU; between them a newcomer would look for what
went wrong.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


def start_tensorflow() -> None:
    """Imports TensorFlow and finds its devices, silently unless that fails.

    Whoever sets TF_CPP_MIN_LOG_LEVEL gets every line, as when a GPU is not found that is there.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with _held_back():
        import tensorflow as tf

        tf.config.list_logical_devices()


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Keeps back what is written to file descriptor 2; shows it if the block raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
