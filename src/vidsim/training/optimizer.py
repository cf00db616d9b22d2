"""AdamW with two learning rates: a low one for the text encoder, a high one for the rest."""

import keras

from vidsim.training.apply_if_finite import ApplyIfFinite, Compiled
from vidsim.training.configs import OptimizerConfig
from vidsim.training.schedule import LinearWarmupDecay

ENCODER_PATTERN = r".*text_encoder/.*"
_NOT_DECAYED = ["bias", "beta", "gamma", "type"]


def build_optimizer(
    config: OptimizerConfig,
    steps: int,
    planned: int,
    compiled: Compiled = lambda update: update,
) -> keras.Optimizer:
    """Two AdamW groups over disjoint variables.

    Args:
        config: learning rates and warm-up.
        steps: updates this run makes.
        planned: total_steps of the configuration; warm-up keeps its share of it.
        compiled: see ApplyIfFinite.

    Reference: Loshchilov and Hutter 2019 (arXiv:1711.05101).
    """
    rest = _adamw("rest", config.lr, config.warmup_steps, config, steps, planned)
    encoder = _adamw("encoder", config.bert_lr, config.bert_warmup_steps, config, steps, planned)
    groups = keras.optimizers.OptimizerMap(rest, {ENCODER_PATTERN: encoder})
    return ApplyIfFinite(groups, compiled=compiled)


def _adamw(
    name: str, peak: float, warmup: int, config: OptimizerConfig, steps: int, planned: int
) -> keras.optimizers.AdamW:
    share = min(warmup / planned, 1.0)
    schedule = LinearWarmupDecay(peak, steps, round(share * steps), config.minimum_lr)
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm or None,
        epsilon=1e-8,
        name=name,
    )
    optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    return optimizer
