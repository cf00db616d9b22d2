"""The learning rate of every step, by hand."""

import numpy as np
import pytest
from keras import ops

from vidsim.training.schedule import CosineWarmupDecay, LinearWarmupDecay


def rates(schedule, steps):
    return [float(ops.convert_to_numpy(schedule(step))) for step in steps]


def test_by_hand():
    """Peak 8 after 4 steps: 2 4 6 8, then 8 again and down by (8 - 2) / 3 to 2 at step 7."""
    found = rates(LinearWarmupDecay(8, total_steps=7, warmup_steps=4, end=2), range(9))
    np.testing.assert_allclose(found, [2, 4, 6, 8, 8, 6, 4, 2, 2], rtol=1e-6)


def test_a_cosine_by_hand():
    """Peak 8 after 2 steps, then 2 + 6 (1 + cos(pi s / 3)) / 2, s = 0, 1, 2, 3: 8, 6.5, 3.5, 2."""
    schedule = CosineWarmupDecay(8, total_steps=5, warmup_steps=2, end=2)
    np.testing.assert_allclose(rates(schedule, range(7)), [4, 8, 8, 6.5, 3.5, 2, 2], rtol=1e-6)
    again = CosineWarmupDecay.from_config(schedule.get_config())
    assert rates(again, range(7)) == rates(schedule, range(7))


def test_without_warmup_it_starts_at_the_peak():
    found = rates(LinearWarmupDecay(1, total_steps=4, warmup_steps=0), range(5))
    np.testing.assert_allclose(found, [1, 0.75, 0.5, 0.25, 0], rtol=1e-6)


def test_warmup_may_take_the_whole_run():
    found = rates(LinearWarmupDecay(1, total_steps=4, warmup_steps=4), range(4))
    np.testing.assert_allclose(found, [0.25, 0.5, 0.75, 1], rtol=1e-6)


def test_its_config_makes_it_again():
    schedule = LinearWarmupDecay(8, total_steps=7, warmup_steps=4, end=2)
    again = LinearWarmupDecay.from_config(schedule.get_config())
    assert rates(again, range(9)) == rates(schedule, range(9))


@pytest.mark.parametrize("warmup", [-1, 5])
def test_warmup_outside_the_run_is_an_error(warmup):
    with pytest.raises(ValueError, match=f"got {warmup} of 4"):
        LinearWarmupDecay(1, total_steps=4, warmup_steps=warmup)
