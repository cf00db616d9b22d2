"""AdamW with two learning rates: a low one for the text encoder, a high one for the rest."""

import re
from typing import Protocol

import keras

from vidsim.training.apply_if_finite import ApplyIfFinite, Compiled
from vidsim.training.configs import OptimizerConfig
from vidsim.training.schedule import CosineWarmupDecay, LinearWarmupDecay

# Keras searches these patterns in a variable's name, which on TensorFlow may be its whole path:
# anchored, so that a table within a layer called "types" is decayed all the same
_NOT_DECAYED = [
    rf"(^|/){name}(:\d+)?$"
    for name in ("bias", "beta", "gamma", "type", r"(\w+_)?temperature", r"(\w+_)?share")
]


class HasEncoder(Protocol):
    """A model that says which of its variables are its encoder's."""

    def encoder_variables(self) -> list[keras.Variable]:
        """Those that learn at the encoder's rate."""
        ...


def build_optimizer(
    config: OptimizerConfig,
    backbone: HasEncoder,
    steps: int,
    planned: int,
    compiled: Compiled = lambda update: update,
) -> keras.Optimizer:
    """Two AdamW groups over disjoint variables.

    Args:
        config: learning rates and warm-up.
        backbone: says which variables have the encoder's learning rate.
        steps: updates this run makes.
        planned: total_steps of the configuration; warm-up keeps its share of it.
        compiled: see ApplyIfFinite.

    Reference: Loshchilov and Hutter 2019 (arXiv:1711.05101).
    """
    schedules = {
        "lr": _schedule(config.lr, config.warmup_steps, config, steps, planned),
        "bert_lr": _schedule(config.bert_lr, config.bert_warmup_steps, config, steps, planned),
    }
    rest = _adamw("rest", schedules["lr"], config)
    encoder = _adamw("encoder", schedules["bert_lr"], config)
    paths = [re.escape(variable.path) for variable in backbone.encoder_variables()]
    groups = keras.optimizers.OptimizerMap(rest, {"|".join(paths): encoder} if paths else {})
    return ApplyIfFinite(groups, compiled=compiled, schedules=schedules)


def _schedule(
    peak: float, warmup: int, config: OptimizerConfig, steps: int, planned: int
) -> LinearWarmupDecay:
    share = min(warmup / planned, 1.0)
    kind = CosineWarmupDecay if config.schedule == "cosine" else LinearWarmupDecay
    return kind(peak, steps, round(share * steps), config.minimum_lr)


def _adamw(
    name: str, schedule: LinearWarmupDecay, config: OptimizerConfig
) -> keras.optimizers.AdamW:
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm or None,
        epsilon=1e-8,
        name=name,
    )
    optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    return optimizer
