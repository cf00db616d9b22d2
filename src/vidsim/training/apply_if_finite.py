"""An optimizer that makes no update from a gradient that is not finite."""

import keras
from keras import ops

from vidsim.layers.replicas import replicas


class ApplyIfFinite(keras.optimizers.MultiOptimizer):
    """A MultiOptimizer whose weights, moments and step stay as they are in such an update.

    The choice is made on the device. A gradient so long that its square overflows counts as not
    finite: clipping it would give NaN.

    Reference: ``optax.apply_if_finite``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.replicas = replicas()

    def apply(self, grads, trainable_variables=None):
        grads = self.replicas.sum(grads)
        squares = [ops.sum(ops.square(grad)) for grad in grads if grad is not None]
        finite = ops.isfinite(ops.sum(ops.stack(squares)))
        if keras.backend.backend() == "jax" or self.replicas.count > 1:
            self._apply_and_choose(finite, grads, trainable_variables)
            return
        update = super().apply
        ops.cond(finite, lambda: update(grads, trainable_variables), lambda: None)

    def _apply_and_choose(self, finite, grads, trainable_variables):
        """Updates, then puts back: for XLA one pass over the weights, and no branch to wait for.

        Nor may a branch of `tf.cond` speak with other replicas, as Keras' update does.
        """
        trained = trainable_variables or self._trainable_variables
        variables = [*trained, *self.variables]
        before = [ops.copy(variable.value) for variable in variables]
        super().apply(self.replicas.only_first(grads), trainable_variables)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(ops.where(finite, variable.value, value))
