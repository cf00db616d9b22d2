"""Which frames of a video are taken: those that are shown at certain moments.

Moments are counted in seconds from the first time stamp, never in frames, so that a variable rate,
a dropped frame or a header's wrong count changes nothing. Time stamps are whole numbers and all of
this is computed in whole numbers: a moment that falls on a frame's first instant is that frame's.
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from vidsim.errors import VidsimError

MOST_FPS = 1000.0


@dataclass(frozen=True)
class Sampling:
    """Frames at the centres of equal bins of time.

    A frame that is shown at several centres is taken once, so a video that has fewer frames than
    bins gives each of its frames once.

    Attributes:
        max_frames: bins of a video, whatever its length.
        fps: bins of a second, in place of `max_frames`; a video shorter than half a bin gives the
            frame at its own centre.

    Raises:
        VidsimError: a number out of range.
    """

    max_frames: int = 32
    fps: float | None = None

    def __post_init__(self):
        if self.max_frames < 1:
            raise VidsimError(f"max_frames {self.max_frames}: accepted are numbers from 1")
        if self.fps is not None and not 0 < self.fps <= MOST_FPS:
            raise VidsimError(f"fps {self.fps}: accepted are numbers above 0, to {MOST_FPS:.0f}")

    def __str__(self) -> str:
        if self.fps is None:
            return f"{self.max_frames} frames at bin centres"
        return f"{self.fps:.12g} frame{'s' * (self.fps != 1)} a second"

    def choose(self, stamps: np.ndarray, end: int, unit: Fraction) -> np.ndarray:
        """The frames to take.

        Args:
            stamps: (N,) int64, presentation times of all frames, increasing.
            end: the end of the last one.
            unit: seconds of one count of a time stamp.

        Returns:
            (K,) int64: places in `stamps`, increasing; at least one where N is.
        """
        if not len(stamps):
            return np.zeros(0, np.int64)
        moments = self._by_rate if self.fps is not None else self._by_count
        chosen = moments(stamps.tolist(), max(end, int(stamps[-1])), unit)
        return np.unique(np.asarray(chosen, np.int64))

    def _by_count(self, stamps: Sequence[int], end: int, _: Fraction) -> list[int]:
        first, bins = stamps[0], self.max_frames
        centres = (first + (2 * k + 1) * (end - first) // (2 * bins) for k in range(bins))
        return [bisect.bisect_right(stamps, centre) - 1 for centre in centres]

    def _by_rate(self, stamps: Sequence[int], end: int, unit: Fraction) -> list[int]:
        """Those of them in whose time of presentation a centre lies.

        Centre k is at (2k + 1) step / 2, with a bin's length step = above / below.
        """
        bin_length = 1 / (Fraction(self.fps or 1) * unit)
        above, below = bin_length.numerator, 2 * bin_length.denominator
        chosen, first = [], stamps[0]
        for place, stamp in enumerate(stamps):
            until = stamps[place + 1] if place + 1 < len(stamps) else end
            # the first centre at or after the stamp: (2k + 1) above >= below (stamp - first)
            k = max(-((above - below * (stamp - first)) // (2 * above)), 0)
            if (2 * k + 1) * above < below * (until - first):
                chosen.append(place)
        if chosen:
            return chosen
        return [bisect.bisect_right(stamps, (first + end) // 2) - 1]
