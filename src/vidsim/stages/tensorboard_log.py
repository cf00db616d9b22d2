"""TensorBoard scalars of a run."""

from pathlib import Path

import tensorflow as tf


class TensorBoardLog:
    """A listener of TrainingLog that writes scalars under ``folder``."""

    def __init__(self, folder: Path):
        self._writer = tf.summary.create_file_writer(str(folder))

    def __call__(self, done: int, values: dict[str, float]) -> None:
        with self._writer.as_default(step=done):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer.flush()
