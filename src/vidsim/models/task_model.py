"""What training adds to a backbone: objectives, a head, state, and the bookkeeping of values."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.numeric import Tensor
from vidsim.layers.replicas import replicas
from vidsim.models.attack import Attack
from vidsim.models.backbone import Backbone
from vidsim.models.weight_average import WeightAverage
from vidsim.objectives.objective import Objective


class TaskModel(keras.Model):
    """A backbone with weighted objectives.

    ``fit`` reports the total and each part by its name, times its weight: they add up to the total.

    An update whose loss or gradient is not finite is not made: the optimizer skips it, and what the
    forward pass alone has moved (moving statistics, dropout's seeds, metrics, the model's own
    state) is put back.

    A subclass that needs other forward passes - pairs, mismatched pairs, hard negatives, a momentum
    teacher - overrides `call`, and `objective_inputs` where the objectives read other inputs than
    it was given. What it remembers from one update to the next, such as a queue or the weights of a
    momentum teacher, it declares by `add_state` or `add_state_of`, and by nothing else. State so
    declared is saved with the training state and restored from it, is put back after a skipped
    update, is equal on all replicas, is trained by no optimizer, and is in no checkpoint.

    Args:
        backbone: the model to be trained; it goes on alone afterwards.
        objectives: terms of the loss, from ``build_objectives``.
        head: layers of the task that are trained with the backbone and go with it into the
            checkpoint, such as a classifier, already built; None where there are none.

    Attributes:
        owned_state: the variables declared by `add_state` and `add_state_of`, in that order.
        notfinite_count: updates skipped in a row, up to now.
        total_notfinite: updates skipped so far.
        average: of the trained weights, kept in `owned_state`; None where none is asked for.
        attack: on the word embeddings, in every update; None where none is asked for.
        notfinite_parts: (objectives,) 1 for each part of the latest loss that was not finite.

    The inputs are a dict of the backbone's inputs and whatever the objectives read besides.
    """

    def __init__(
        self,
        backbone: Backbone,
        objectives: Sequence[Objective],
        head: keras.layers.Layer | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.backbone = backbone
        self.head = head
        self.owned_state: tuple[keras.Variable, ...] = ()  # no list: Keras would wrap it
        self.average: WeightAverage | None = None
        self.attack: Attack | None = None
        self.objectives = list(objectives)
        self.replicas = replicas()
        self.parts = [keras.metrics.Mean(name=objective.name) for objective in objectives]
        self.notfinite_count = self._counter("notfinite_count", ())
        self.total_notfinite = self._counter("total_notfinite", ())
        self.notfinite_parts = self._counter("notfinite_parts", (len(objectives),))
        self.built = True  # the backbone's and the objectives' weights exist already

    def call(self, inputs: Mapping[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """The outputs that the objectives read: the backbone's, and what a subclass adds."""
        return self.backbone(inputs, training=training)

    def objective_inputs(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The inputs as the objectives see them, row for row with the backbone's outputs."""
        return inputs

    def add_state(
        self, name: str, shape: Sequence[int], dtype: str = "float32", initializer: Any = "zeros"
    ) -> keras.Variable:
        """Declares a variable of the model's own state, such as a queue or the place in it.

        Assigned to in `call` or in an objective. Where replicas share a batch, what the first one
        assigns is what all have: gather rows with ``self.replicas.gather`` before they go into it.

        Args:
            name: of the variable.
            shape: of the variable.
            dtype: of the variable, whatever the dtype policy is.
            initializer: of Keras.
        """
        variable = self.add_weight(
            name=name,
            shape=tuple(shape),
            dtype=dtype,
            initializer=initializer,
            trainable=False,
            aggregation="only_first_replica",
        )
        self.owned_state = (*self.owned_state, variable)
        return variable

    def add_state_of(self, model: keras.layers.Layer) -> None:
        """Declares the weights of a layer or model as state: a momentum copy of the backbone.

        The model must be an attribute of this one, built. It is no longer trained by gradients.
        """
        model.trainable = False
        self.owned_state = (*self.owned_state, *model.variables)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        assert x is not None
        own = y_pred, self.objective_inputs(x)
        whole = _WholeBatch(own[0], self.replicas), _WholeBatch(own[1], self.replicas)
        total, broken = 0.0, []
        for objective, part in zip(self.objectives, self.parts, strict=True):
            value = self._value(objective, own, whole)
            weighted = objective.weight * value
            part.update_state(weighted)
            broken.append(ops.logical_not(ops.isfinite(value)))
            total = total + weighted
        self.notfinite_parts.assign(ops.cast(ops.stack(broken), self.notfinite_parts.dtype))
        # with a loss that is not finite no gradient is, not even one that the NaN passed by
        total = total * ops.stop_gradient(ops.where(ops.isfinite(total), 1.0, float("nan")))
        return total / self.replicas.count  # each replica adds the whole batch's gradient

    def train_step(self, *args):
        """One update, or none; ``(data)``, or on JAX ``(state, data)`` with a new state."""
        if keras.backend.backend() == "jax":
            return self._stateless_train_step(*args)
        moved = self.moved_by_forward_pass()
        before = [ops.copy(variable.value) for variable in moved]
        updates = ops.copy(self.optimizer.iterations)
        if self.attack is None:
            super().train_step(*args)
        else:
            self.attack.update(self, super().train_step, *args)
        return self._settle(moved, before, updates)

    def _stateless_train_step(self, state, data):
        """The same where variables are values that come and go."""
        variables = [
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        ]
        before = _by_variable(variables, state)
        step = super().train_step
        if self.attack is None:
            after = step(state, data)[1]
        else:
            after = self.attack.stateless_update(self, step, state, data)
        mapping = list(_by_variable(variables, after).values())
        moved = self.moved_by_forward_pass()
        with keras.StatelessScope(state_mapping=mapping) as scope:
            logs = self._settle(
                moved,
                [before[id(variable)][1] for variable in moved],
                before[id(self.optimizer.iterations)][1],
            )
        return logs, tuple([scope.get_current_value(item) for item in part] for part in variables)

    def _maybe_symbolic_build(self, **_):
        """Nothing is left to build, where Keras would run a mean of the replicas' batches first."""

    def moved_by_forward_pass(self) -> list[keras.Variable]:
        """What a forward pass in training changes: state, seeds, moving statistics, metrics."""
        head = self.head.non_trainable_variables if self.head is not None else []
        moved = [*self.backbone.non_trainable_variables, *head, *self.owned_state]
        return [*moved, *self.metrics_variables]

    def _settle(self, moved, before, updates):
        """Puts back what moved if no update was made, counts that, and returns the logs."""
        made = self.optimizer.iterations > updates
        for variable, value in zip(moved, before, strict=True):
            variable.assign(ops.where(made, variable.value, value))
        if self.average is not None:
            self.average.update(made)
        skipped = ops.cast(ops.logical_not(made), self.notfinite_count.dtype)
        self.notfinite_count.assign((self.notfinite_count + 1) * skipped)
        self.total_notfinite.assign_add(skipped)
        return self.get_metrics_result()

    def _value(self, objective, own, whole):
        """The objective of the whole batch; own and whole are pairs of outputs and inputs."""
        if self.replicas.count == 1:
            return objective(*own)
        count = objective.count(*own)
        if count is None:
            return objective(outputs=whole[0], inputs=whole[1])
        total, count = self.replicas.sum([objective(*own) * count, count])
        return ops.divide_no_nan(total, count)

    def _counter(self, name, shape):
        return self.add_weight(
            name=name, shape=shape, dtype="int", initializer="zeros", trainable=False
        )


class _WholeBatch(Mapping):
    """This replica's rows, given as those of the whole batch: gathered when asked for."""

    def __init__(self, own, replicas):
        self._own, self._replicas, self._gathered = own, replicas, {}

    def __getitem__(self, key):
        if key not in self._gathered:
            axis = int(key in schema.BY_BRANCH)
            self._gathered[key] = self._replicas.gather(self._own[key], axis)
        return self._gathered[key]

    def __iter__(self):
        return iter(self._own)

    def __len__(self):
        return len(self._own)

    def __contains__(self, key):
        return key in self._own


def _by_variable(variables, values):
    """Pairs of a variable and its value, by the variable's identity."""
    pairs = [
        pair for part in zip(variables, values, strict=True) for pair in zip(*part, strict=True)
    ]
    return {id(variable): (variable, value) for variable, value in pairs}
