"""Replicas under TensorFlow's MirroredStrategy: one on each device, in lockstep."""

from collections.abc import Sequence

import tensorflow as tf

from vidsim.layers.numeric import Tensor
from vidsim.layers.replicas import Replicas

_GATHERED = (tf.float16, tf.float32, tf.float64, tf.int32, tf.int64)  # what TensorFlow can gather


class MirroredReplicas(Replicas):
    """Collectives of the replica that a step is traced for.

    Args:
        strategy: whose replicas they are.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.count = strategy.num_replicas_in_sync

    def first_row(self, rows: Tensor) -> Tensor:
        """See `Replicas`; all replicas have as many rows."""
        return tf.cast(_context().replica_id_in_sync_group, "int32") * rows

    def gather(self, x: Tensor, axis: int = 0) -> Tensor:
        """See `Replicas`."""
        dtype = x.dtype if x.dtype in _GATHERED else tf.float32 if x.dtype.is_floating else tf.int32
        gathered = _context().all_gather(tf.cast(x, dtype), axis=axis)
        shape = x.shape.as_list()
        shape[axis] = None if shape[axis] is None else self.count * shape[axis]
        gathered.set_shape(shape)
        # a row that is looked up leaves a sparse gradient, which the gather's own cannot read and a
        # reshape adds up
        gathered = tf.reshape(gathered, tf.shape(gathered))
        gathered.set_shape(shape)
        return tf.cast(gathered, x.dtype)

    def sum(self, values: Sequence[Tensor]) -> list[Tensor]:
        """See `Replicas`. Sparse gradients, those of an embedding table, become dense."""
        dense = [tf.convert_to_tensor(value) for value in values]
        return list(_context().all_reduce(tf.distribute.ReduceOp.SUM, dense))

    def only_first(self, values: Sequence[Tensor]) -> list[Tensor]:
        """See `Replicas`."""
        first = _context().replica_id_in_sync_group == 0
        return [tf.where(first, value, tf.zeros_like(value)) for value in values]


def _context() -> tf.distribute.ReplicaContext:
    return tf.distribute.get_replica_context()
