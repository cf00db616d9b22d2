"""Decoded frames as upright RGB pictures."""

import functools
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Turn:
    """How a picture is turned before it is shown: one of the eight ways of a rectangle.

    Attributes:
        swapped: whether rows become columns, before anything else.
        rightward: whether columns stay in their order.
        downward: whether rows do.
    """

    swapped: bool = False
    rightward: bool = True
    downward: bool = True

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, 3) -> (H, W, 3), or (W, H, 3) where the picture lay on its side."""
        turned = picture.swapaxes(0, 1) if self.swapped else picture
        return turned[:: 1 if self.downward else -1, :: 1 if self.rightward else -1]


def turn_of(frame: Any) -> Turn | None:
    """What a frame's side data say, the stream's among them; None where they say nothing.

    Their matrix takes (x, y), y downward, to (a x + c y, b x + d y); angles between the quarters
    are taken to the nearest.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except (KeyError, ValueError):  # side data of a kind that this PyAV does not know
        return _of_angle(frame.rotation)
    if data is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data)[:36])
    if abs(a) + abs(d) < abs(b) + abs(c):
        return Turn(True, c >= 0, b >= 0)
    return Turn(False, a >= 0, d >= 0)


def to_rgb(frame: Any) -> np.ndarray:
    """(H, W, 3) uint8; what is transparent has the colour that it would have."""
    return frame.to_ndarray(format="rgb24", **_conversion())


def _of_angle(angle: int) -> Turn | None:
    """Of counter-clockwise degrees."""
    quarter = round(angle / 90) % 4
    turns = [None, Turn(True, True, False), Turn(False, False, False), Turn(True, False, True)]
    return turns[quarter]


@functools.cache
def _conversion() -> dict[str, int]:
    """One thread where PyAV can be told so: the others have work."""
    import av

    try:
        av.VideoFrame(16, 16, "yuv420p").to_ndarray(format="rgb24", threads=1)
    except TypeError:
        return {}
    return {"threads": 1}
