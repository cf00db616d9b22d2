"""Linear warm-up, then decay, over the run that is actually made."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("vidsim")
class LinearWarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from 0 to ``peak`` in ``warmup_steps``, falls to ``end`` at ``total_steps``.

    Args:
        peak: highest learning rate.
        total_steps: updates in the whole run.
        warmup_steps: updates until the peak.
        end: learning rate after the last update.

    Reference: the schedule of BERT (Devlin et al. 2018), appendix A.2.
    """

    def __init__(self, peak: float, total_steps: int, warmup_steps: int, end: float = 0.0):
        if not 0 <= warmup_steps <= total_steps:
            raise ValueError(
                f"warmup_steps must lie in [0, total_steps]; got {warmup_steps} of {total_steps}"
            )
        self.peak, self.end = peak, end
        self.total_steps, self.warmup_steps = total_steps, warmup_steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = (step + 1) / max(self.warmup_steps, 1)
        left = (self.total_steps - step) / max(self.total_steps - self.warmup_steps, 1)
        fall = self.end + (self.peak - self.end) * self._share(ops.clip(left, 0.0, 1.0))
        return ops.where(step < self.warmup_steps, self.peak * rise, fall)

    def _share(self, left):
        """How far above ``end`` it is, as a share of ``peak - end``, by the share of steps left."""
        return left

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "end": self.end,
        }


@keras.saving.register_keras_serializable("vidsim")
class CosineWarmupDecay(LinearWarmupDecay):
    """Rises as `LinearWarmupDecay`, and falls by half a period of a cosine: slowly at both ends.

    Reference: Loshchilov and Hutter 2017, SGDR (arXiv:1608.03983), equation 5, without restarts.
    """

    def _share(self, left):
        return 0.5 - 0.5 * ops.cos(math.pi * left)
