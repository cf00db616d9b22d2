"""An optimizer that makes no update from a gradient that is not finite."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras
from keras import ops

from vidsim.layers.replicas import replicas

Compiled = Callable[[Callable[[], None]], Callable[[], None]]
Schedule: TypeAlias = Callable[[Any], Any]  # updates made before -> learning rate


class ApplyIfFinite(keras.optimizers.MultiOptimizer):
    """A MultiOptimizer whose weights, moments and step stay as they are in such an update.

    The choice is made on the device. A gradient so long that its square overflows counts as not
    finite: clipping it would give NaN.

    Args:
        optimizers: as for MultiOptimizer.
        compiled: turns an update into one that the backend compiles by itself, where the step
            around it is not compiled. Kernel by kernel, AdamW reads and writes weights, gradients
            and moments many times; a fused loop does it once.
        schedules: the learning rates to report, by name.

    Attributes:
        gradient_norm: of all gradients together before clipping, in the latest update made; a
            by-product of the test, so that it costs nothing. No part of a training's state.

    Reference: ``optax.apply_if_finite``.
    """

    def __init__(
        self,
        *optimizers: keras.Optimizer,
        compiled: Compiled = lambda update: update,
        schedules: Mapping[str, Schedule] | None = None,
        **kwargs,
    ):
        super().__init__(*optimizers, **kwargs)
        self.compiled = compiled
        self.schedules = dict(schedules or {})
        self.replicas = replicas()

    def build(self, var_list):
        if not self.built:
            super().build(var_list)
            self.gradient_norm = self.add_variable((), dtype="float32", name="gradient_norm")

    def report(self) -> dict[str, float]:
        """Of the latest update made: each learning rate by its name, and ``gradient_norm``."""
        made = max(int(ops.copy(self.iterations.value)) - 1, 0)
        rates = {name: schedule(made) for name, schedule in self.schedules.items()}
        values = rates | {"gradient_norm": ops.copy(self.gradient_norm.value)}
        return {name: float(ops.convert_to_numpy(value)) for name, value in values.items()}

    def apply(self, grads, trainable_variables=None):
        # TensorFlow's sparse gradient has a row for every look-up, which a reshape adds up;
        # clipping would go by the norm of what is not added up yet
        trained = list(trainable_variables or self._trainable_variables)
        self.build(trained)
        # and a weight that no objective reads, such as a tag classifier without tags, has none
        whole = [
            ops.zeros(v.shape, v.dtype) if grad is None else ops.reshape(grad, v.shape)
            for grad, v in zip(grads, trained, strict=True)
        ]
        grads = self.replicas.sum(whole)
        squares = [ops.sum(ops.square(grad)) for grad in grads]
        square = ops.sum(ops.stack(squares))
        finite = ops.isfinite(square)
        norm = ops.where(finite, ops.sqrt(square), self.gradient_norm.value)
        self._apply_if(finite, grads, trained)
        self.gradient_norm.assign(norm)

    def _apply_if(self, finite, grads, trained):
        if keras.backend.backend() == "jax" or self.replicas.count > 1:
            self._apply_and_choose(finite, grads, trained)
            return
        update = super().apply
        fused = self.compiled(lambda: update(grads, trained))
        ops.cond(finite, fused, lambda: None)

    def _apply_and_choose(self, finite, grads, trained):
        """Updates, then puts back: for XLA one pass over the weights, and no branch to wait for.

        Nor may a branch of `tf.cond` speak with other replicas, as Keras' update does.
        """
        variables = [*trained, *self.variables]
        before = [ops.copy(variable.value) for variable in variables]
        super().apply(self.replicas.only_first(grads), trained)
        for variable, value in zip(variables, before, strict=True):
            variable.assign(ops.where(finite, variable.value, value))
