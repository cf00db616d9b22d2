"""Ctrl-C and SIGTERM between updates: what is saved, what is said, what the second one does."""

import signal

import numpy as np
import pytest

from vidsim.errors import Interrupted
from vidsim.training.checkpoint_keeper import CheckpointKeeper
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.state_saver import StateSaver
from vidsim.training.stop_request import StopRequest
from vidsim.training.training_log import TrainingLog
from vidsim.training.training_state import TrainingState


@pytest.fixture(autouse=True)
def _signals_are_heeded():
    """Whoever started the tests may have had this process ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Weights:
    """Stands in for a trainer."""

    def state(self):
        return {"w": np.arange(3.0)}


def saver(folder, stop):
    keeper = CheckpointKeeper(folder, None)
    log = TrainingLog(1, 9, 1, [])
    return StateSaver(StateKeeper(folder), 1e9, TrainingState(5), Weights(), keeper, log, stop)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_step_is_finished_and_its_state_saved(tmp_path, number, capsys):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as stopped, StopRequest("finetune mix fold 3", 9) as stop:
        callback = saver(tmp_path, stop)
        callback.on_train_batch_end(0)
        assert StateKeeper(tmp_path).latest() is None  # the guard: it was not due
        signal.raise_signal(number)
        assert "once more ends it at once" in capsys.readouterr().err
        callback.on_train_batch_end(1)
    state = StateKeeper(tmp_path).latest()
    assert state.step == 7
    np.testing.assert_array_equal(state.variables["w"], [0, 1, 2])
    assert "finetune mix fold 3 stopped after step 7 of 9" in str(stopped.value)
    assert "the same command goes on from there" in str(stopped.value)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_ends_at_once():
    with pytest.raises(KeyboardInterrupt) as stopped, StopRequest("mix", 9):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second one did nothing")
    assert not isinstance(stopped.value, Interrupted)


def test_a_signal_that_the_process_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequest("mix", 9) as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
