"""Windows of losses, and validation between them."""

import itertools

import pytest

from vidsim.training import training_log
from vidsim.training.training_log import TrainingLog
from vidsim.training.validation import Validation


class RunningMean:
    """Stands in for a model: Keras' logs are means since `reset_metrics`."""

    def __init__(self):
        self.seen = []

    def reset_metrics(self):
        self.seen = []

    def after(self, loss):
        self.seen.append(loss)
        return {"loss": sum(self.seen) / len(self.seen)}


@pytest.fixture
def clock(monkeypatch):
    """Every look at the clock is half a second later."""
    ticks = itertools.count(100, 0.5)
    monkeypatch.setattr(training_log.time, "perf_counter", lambda: next(ticks))


def train(callbacks, losses):
    model = RunningMean()
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for batch, loss in enumerate(losses):
        logs = model.after(loss)
        for callback in callbacks:
            callback.on_train_batch_end(batch, logs)


def test_windows_by_hand(clock):
    """Losses 1..7, every 3: means of (1 2 3), (4 5 6) and (7). Half a second a window.

    Speeds are 3 steps of 10 in 0.5 s = 60/s, so 4 steps take 4/6 s; the last, 1 step, 20/s.
    """
    heard = []
    log = TrainingLog(3, 7, 10, [lambda done, values: heard.append((done, values))])
    train([log], range(1, 8))
    assert heard == [
        (3, {"loss": 2, "examples_per_s": 60, "seconds_left": pytest.approx(4 / 6)}),
        (6, {"loss": 5, "examples_per_s": 60, "seconds_left": pytest.approx(1 / 6)}),
        (7, {"loss": 7, "examples_per_s": 20, "seconds_left": 0}),
    ]
    assert log.history == [{"step": done, **values} for done, values in heard]


def test_validation_at_its_own_rhythm_and_at_the_end(clock):
    """Every 2 of 5 updates: after 2, 4 and 5. Kept, and told to the log under val_ names."""
    kept = []

    class Keeper:
        def keep(self, step, metrics):
            kept.append((step, metrics))

    scores = iter([0.1, 0.2, 0.3])
    log = TrainingLog(4, 5, 10, [])
    validation = Validation(lambda: {"spearman": next(scores)}, 2, 5, Keeper(), log)
    train([log, validation], range(5))
    assert kept == [(2, {"spearman": 0.1}), (4, {"spearman": 0.2}), (5, {"spearman": 0.3})]
    validated = [entry for entry in log.history if "val_spearman" in entry]
    assert validated == [
        {"step": 2, "val_spearman": 0.1},
        {"step": 4, "val_spearman": 0.2},
        {"step": 5, "val_spearman": 0.3},
    ]
