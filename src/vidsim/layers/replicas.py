"""What a layer, a loss or an optimizer must know of the other replicas of a data-parallel step.

On JAX one program sees the whole batch, and there is nothing to know. Under `tf.distribute` every
replica runs the step on its own rows; a statistic of the batch, a loss that compares its rows and a
gradient are those of the whole batch only after the replicas have told each other.

Process-wide, as `keras.distribution.set_distribution` is; read where an object is constructed.
"""

from collections.abc import Sequence

from vidsim.layers.numeric import Tensor


class Replicas:
    """One replica, which has the whole batch: everything stays as it is.

    Attributes:
        count: replicas that share a batch.
    """

    count: int = 1

    def first_row(self, rows: Tensor) -> Tensor | int:
        """The place in the whole batch of this replica's first row, of which it has so many."""
        return 0

    def gather(self, x: Tensor, axis: int = 0) -> Tensor:
        """The rows of all replicas, in the batch's order; the same on each. Differentiable.

        Args:
            x: this replica's rows, along `axis`.
            axis: the batch axis.
        """
        return x

    def sum(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Each value summed over the replicas; the same on each. Differentiable."""
        return list(values)

    def only_first(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The values on one replica, zeros on the others: summed over replicas they are there once.

        For Keras' optimizers, which sum over replicas after they have clipped.
        """
        return list(values)


_current = Replicas()


def replicas() -> Replicas:
    """The replicas that what is constructed now will run on."""
    return _current


def set_replicas(value: Replicas) -> None:
    """Says which replicas what is constructed from now on will run on."""
    global _current
    _current = value
