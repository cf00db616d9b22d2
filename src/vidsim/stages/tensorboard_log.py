"""TensorBoard scalars of a run."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

_KNOWN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.ENOENT)


class TensorBoardLog:
    """A listener of TrainingLog that writes scalars under ``folder``.

    What a validation gave, named ``val_...``, is tagged ``val/...``, all else ``train/...``.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        with self._system_errors():
            self._writer = tf.summary.create_file_writer(str(folder))

    def __call__(self, done: int, values: dict[str, float]) -> None:
        with self._system_errors():
            with self._writer.as_default(step=done):
                for name, value in values.items():
                    tf.summary.scalar(_tag(name), value)
            self._writer.flush()

    @contextlib.contextmanager
    def _system_errors(self) -> Iterator[None]:
        """TensorFlow puts the system's error into a sentence; here it is taken out again."""
        try:
            yield
        except tf.errors.OpError as error:
            said = str(error)
            number = next((n for n in _KNOWN if os.strerror(n) in said), errno.EIO)
            raise OSError(number, os.strerror(number), str(self._folder)) from error


def _tag(name: str) -> str:
    validated = name.removeprefix("val_")
    return f"train/{name}" if validated == name else f"val/{validated}"
