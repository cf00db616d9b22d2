"""Which frames are taken, worked out by hand."""

from fractions import Fraction

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.video_files.sampling import Sampling

MILLISECOND = Fraction(1, 1000)


def chosen(stamps, end, unit=MILLISECOND, **how):
    found = Sampling(**how).choose(np.array(stamps, np.int64), end, unit)
    assert found.dtype == np.int64
    return found.tolist()


@pytest.mark.parametrize(
    ("stamps", "end", "bins", "expected"),
    [
        (range(0, 800, 100), 800, 4, [1, 3, 5, 7]),  # centres 100, 300, ...: each its first instant
        (range(0, 800, 100), 800, 8, list(range(8))),  # centres 50, 150, ...
        (range(0, 800, 100), 800, 32, list(range(8))),  # fewer frames than bins: each once
        (range(0, 500, 100), 500, 4, [0, 1, 3, 4]),  # 62.5, 187.5, 312.5, 437.5
        (range(5000, 5800, 100), 5800, 4, [1, 3, 5, 7]),  # from the first time stamp, not from 0
        (range(-300, 500, 100), 500, 4, [1, 3, 5, 7]),
        ([*range(0, 1000, 100), 1000], 10_000, 10, [5, 10]),  # 500, then one frame for 9 s
        ([0, 9000, 9100, 9200], 10_000, 5, [0, 1]),  # 1000, 3000, 5000, 7000; 9000 is frame 1's
        ([40], 80, 32, [0]),
        ([40], 40, 32, [0]),  # no duration at all
        ([0, 100], 100, 4, [0]),  # nothing of the last is shown
        ([], 0, 4, []),
    ],
)
def test_bin_centres(stamps, end, bins, expected):
    assert chosen(stamps, end, max_frames=bins) == expected


@pytest.mark.parametrize(
    ("stamps", "end", "fps", "expected"),
    [
        (range(0, 4000, 100), 4000, 1, [5, 15, 25, 35]),  # 0.5 s, 1.5 s, ...
        (range(0, 4400, 100), 4400, 1, [5, 15, 25, 35]),
        (range(0, 4600, 100), 4600, 1, [5, 15, 25, 35, 45]),
        (range(100, 4100, 100), 4100, 0.5, [10, 30]),  # 1.1 s, 3.1 s
        (range(0, 400, 100), 400, 1, [2]),  # shorter than half a second: its own centre
        (range(0, 400, 100), 400, 1000, [0, 1, 2, 3]),
        ([0, 100, 5000], 5100, 1, [1]),  # one frame from 0.1 to 5 s: once
        ([0], 0, 1, [0]),
    ],
)
def test_frames_a_second(stamps, end, fps, expected):
    assert chosen(stamps, end, fps=fps) == expected


def test_both_ways_agree_with_a_search_by_fractions():
    """Against the definition, moment by moment, on irregular time stamps of odd units."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        count = int(rng.integers(1, 40))
        stamps = np.cumsum(rng.integers(1, 50, count)) + int(rng.integers(-100, 100))
        end, unit = int(stamps[-1] + rng.integers(0, 60)), Fraction(1001, 30_000)
        bins, fps = int(rng.integers(1, 50)), float(rng.choice([0.3, 1, 2.5, 29.97]))
        first, span = int(stamps[0]), end - int(stamps[0])
        moments = [first + Fraction(2 * k + 1, 2 * bins) * span for k in range(bins)]
        assert chosen(stamps, end, unit, max_frames=bins) == shown(stamps, moments)
        step = 1 / (Fraction(fps) * unit)
        moments = [first + (k + Fraction(1, 2)) * step for k in range(int(span / step) + 2)]
        moments = [moment for moment in moments if moment < end] or [first + Fraction(span, 2)]
        assert chosen(stamps, end, unit, fps=fps) == shown(stamps, moments)


def shown(stamps, moments):
    return sorted({max(i for i, stamp in enumerate(stamps) if stamp <= m) for m in moments})


def test_time_stamps_of_any_size():
    far = 2**62
    assert chosen([-far, 0, far], far, max_frames=1000) == [0, 1]
    assert chosen([-far, 0, far], far + 1, fps=1) == [0, 1]


def test_how_it_is_named_and_what_is_refused():
    assert str(Sampling()) == "32 frames at bin centres"
    assert str(Sampling(fps=1)) == "1 frame a second"
    assert str(Sampling(fps=0.5)) == "0.5 frames a second"
    for wrong in ({"max_frames": 0}, {"fps": 0.0}, {"fps": -1.0}, {"fps": 1e9}):
        with pytest.raises(VidsimError, match="accepted"):
            Sampling(**wrong)
