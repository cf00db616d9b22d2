"""An optimizer that makes no update from a gradient that is not finite."""

import keras
from keras import ops


class ApplyIfFinite(keras.optimizers.MultiOptimizer):
    """A MultiOptimizer whose weights, moments and step stay as they are in such an update.

    The choice is made on the device. A gradient so long that its square overflows counts as not
    finite: clipping it would give NaN.

    Reference: ``optax.apply_if_finite``.
    """

    def apply(self, grads, trainable_variables=None):
        squares = [ops.sum(ops.square(grad)) for grad in grads if grad is not None]
        update = super().apply
        ops.cond(
            ops.isfinite(ops.sum(ops.stack(squares))),
            lambda: update(grads, trainable_variables),
            lambda: None,
        )
