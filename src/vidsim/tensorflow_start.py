"""TensorFlow's start: memory that is kept, and no chatter.

On a CPU every tensor is memory from the C library, which by default gives large blocks back to the
system when they are freed and asks for them again in the next step; the kernel then clears the same
pages over and over.

And TensorFlow's GPU-capable wheel writes several lines to standard error before any log level
applies, the same ones on every machine without a GPU; a newcomer would look there for what went
wrong.
"""

import contextlib
import ctypes
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

# mallopt's parameters in glibc's malloc.h
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


def start_tensorflow(op_threads: int | None = None) -> None:
    """Imports TensorFlow and finds its devices, silently unless that fails.

    Whoever sets TF_CPP_MIN_LOG_LEVEL gets every line, as when a GPU is not found that is there.

    Args:
        op_threads: threads that share one operation; None: TensorFlow's choice, one for each
            processor. What TF_NUM_INTRAOP_THREADS says goes before it, and a process that has
            computed something already keeps what it has.
    """
    _keep_freed_memory()
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        _set_op_threads(op_threads)
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    logging.getLogger("tensorflow").addFilter(_is_no_advice)
    with _held_back():
        import tensorflow as tf

        _set_op_threads(op_threads)
        tf.config.list_logical_devices()
        tf.cast(tf.zeros(1, tf.float16), tf.float32)  # the first float16 has a line of its own


def _set_op_threads(count: int | None) -> None:
    if count is None or "TF_NUM_INTRAOP_THREADS" in os.environ:
        return
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # it has started
        tf.config.threading.set_intra_op_parallelism_threads(count)


def _is_no_advice(record: logging.LogRecord) -> bool:
    """False for TensorFlow's advice against compiling a function again.

    vidsim compiles one for each shape of batch, and there are few.
    """
    return "triggered tf.function retracing" not in record.getMessage()


def _keep_freed_memory() -> None:
    """Has glibc keep freed blocks for the next step; does nothing with another C library.

    Embedding 2,900 videos with a small Uniter on 2 cores: 0.1 s of system time instead of 2.6 s,
    2.6 s in all instead of 5 to 10 s.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
        mallopt(_TOP_PAD, 256 << 20)


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
