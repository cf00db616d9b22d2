"""Batches of frames through a model that computes several of them at once."""

import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from vidsim.stages.feature_files import FrameBatches

ROWS = 4


class Together:
    """Two numbers a frame, its grey and its double; every call waits for as many as there may be.

    The later of them ends first.
    """

    calls = 3
    preprocessing = SimpleNamespace(scaled=lambda frame, out: np.copyto(out, frame))

    def __init__(self):
        self._meeting, self._lock = threading.Barrier(self.calls), threading.Lock()
        self._given, self._ended = 0, [threading.Event() for _ in range(99)]

    def extract(self, batch):
        with self._lock:
            number, self._given = self._given, self._given + 1
        self._meeting.wait(timeout=20)
        if number % self.calls < self.calls - 1:
            self._ended[number + 1].wait(timeout=20)
        grey = batch.mean((1, 2, 3))
        self._ended[number].set()
        return np.stack([grey, 2 * grey], 1)


def test_batches_at_once_and_each_frame_s_own_numbers(tmp_path):
    """Six batches of four rows, of videos that begin and end within them; the last is not full."""
    lengths = {"a": 5, "b": 1, "c": 9, "d": 8}
    grey = 0
    with FrameBatches(Together(), tmp_path, ROWS) as batches:
        finished = []
        for video, length in lengths.items():
            batches.begin(video)
            for second in range(length):
                grey += 1
                finished += batches.add(float(second), np.full((2, 2, 3), grey, np.uint8))
            finished += batches.end()
        finished += batches.flush()
    assert [video.video_id for video in finished] == list(lengths)
    assert (batches.written, batches.frames) == (4, 23)
    expected = iter(range(1, 24))
    for video, length in lengths.items():
        with np.load(tmp_path / f"{video}.npz") as stored:
            assert stored["times"].tolist() == list(range(length))
            greys = np.array([next(expected) for _ in range(length)])
            np.testing.assert_array_equal(stored["features"], np.stack([greys, 2 * greys], 1))


def one_at_a_time(extract):
    scaled = SimpleNamespace(scaled=lambda frame, out: np.copyto(out, frame))
    return SimpleNamespace(calls=1, preprocessing=scaled, extract=extract)


def add_frames(batches):
    batches.begin("a")
    for grey in range(99):
        batches.add(0.0, np.full((2, 2, 3), grey, np.uint8))


def test_an_error_of_the_model_is_raised(tmp_path):
    def extract(batch):
        raise RuntimeError("no memory")

    fails = pytest.raises(RuntimeError, match="no memory")
    with fails, FrameBatches(one_at_a_time(extract), tmp_path, 1) as batches:
        add_frames(batches)
    assert not list(tmp_path.iterdir())


def test_after_an_interruption_what_waits_is_not_computed(tmp_path):
    """Ctrl-C while the model has its first batch, and the second waits."""
    given, begun = [], threading.Event()

    def extract(batch):
        given.append(batch[0, 0, 0, 0])
        begun.set()
        time.sleep(0.5)
        return np.zeros((1, 2))

    def interrupt():
        begun.wait()
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stopped = pytest.raises(KeyboardInterrupt)
        with stopped, FrameBatches(one_at_a_time(extract), tmp_path, 1) as batches:
            add_frames(batches)
    finally:
        signal.signal(signal.SIGINT, before)
    assert given == [0]
