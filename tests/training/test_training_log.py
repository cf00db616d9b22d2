"""Windows of losses, and validation between them."""

import itertools
import json

import numpy as np
import pytest
from keras import ops

from vidsim.files import write_json
from vidsim.training import training_log
from vidsim.training.progress import describe
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


def test_numbers_of_any_kind_reach_json_as_numbers(tmp_path):
    """A whole number stays one, so that a count reads as a count."""
    kinds = {"spearman": np.float32(0.5), "count": np.int64(3), "loss": ops.ones(()), "n": 4}
    kept = []

    class Keeper:
        def keep(self, step, metrics):
            kept.append(metrics)

    log = TrainingLog(1, 1, 10, [])
    train([log, Validation(lambda: kinds, 1, 1, Keeper(), log)], [0])
    write_json(tmp_path / "metrics.json", kept)
    expected = {"spearman": 0.5, "count": 3, "loss": 1.0, "n": 4}
    assert json.loads((tmp_path / "metrics.json").read_text()) == [expected]
    assert [type(value) for value in kept[0].values()] == [float, int, float, int]
    assert log.history[-1]["val_spearman"] == 0.5


def test_the_log_tells_what_is_known_of_the_update(clock):
    log = TrainingLog(2, 2, 10, [], about_update=lambda: {"lr": 0.1, "gradient_norm": 3.0})
    train([log], [1, 2])
    (entry,) = log.history
    assert (entry["lr"], entry["gradient_norm"], entry["loss"]) == (0.1, 3.0, 1.5)
    assert "0.1" not in describe(entry | {"examples_per_s": 1.0}, "videos")
