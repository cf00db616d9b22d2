"""One machine, several devices: each has a part of every batch.

The losses are those that one device has on the whole batch.
"""

import contextlib
import functools
from collections.abc import Iterator

import keras
import tensorflow as tf

from vidsim.errors import VidsimError
from vidsim.layers.replicas import Replicas, set_replicas
from vidsim.stages.mirrored_replicas import MirroredReplicas
from vidsim.training.configs import RunConfig


@contextlib.contextmanager
def data_parallel(config: RunConfig) -> Iterator[None]:
    """Model, task and optimizer that are made within train on ``--devices`` devices, also later.

    `keras.distribution.DataParallel` on JAX, `tf.distribute.MirroredStrategy` on TensorFlow. GPUs
    where there are any, otherwise CPUs. One device: nothing is changed.

    Raises:
        VidsimError: there are not so many devices.
    """
    if config.devices == 1:
        yield
        return
    names = _devices(config)
    if keras.backend.backend() == "jax":
        # The whole batch's program: losses and statistics are those of one device by themselves.
        parallel = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
        with parallel.scope():
            yield
        return
    strategy = _strategy(tuple(names))
    set_replicas(MirroredReplicas(strategy))
    try:
        with strategy.scope():
            yield
    finally:
        set_replicas(Replicas())


@functools.cache
def _strategy(names: tuple[str, ...]) -> tf.distribute.Strategy:
    """One for the whole process: a second one would number its collectives as the first did."""
    return tf.distribute.MirroredStrategy(names)


def _devices(config: RunConfig) -> list[str]:
    count, found = config.devices, keras.distribution.list_devices()
    if not 1 <= count <= len(found):
        raise VidsimError(
            f"--devices {count}: this machine has {len(found)} ({', '.join(found)}); accepted is a "
            "number from 1 to that"
        )
    return found[:count]
