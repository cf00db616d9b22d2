"""Frames that somebody gives, from a file or from memory, as records hold them: finite float16."""

from typing import Any

import numpy as np

_EXPONENT = 0x7C00  # of a float16; all ones in NaN and infinity, and only there
MOST = 65504  # the greatest float16


def frames_of(value: Any) -> np.ndarray | None:
    """The frames of a video.

    Args:
        value: (n, d) numbers.

    Returns:
        (n, d) float16; None where n is 0.

    Raises:
        ValueError: another shape, no numbers, or a number that float16 cannot hold.
    """
    array = np.asarray(value)
    if array.size == 0 and array.ndim in (1, 2):
        return None
    if array.dtype.kind not in "fiu":
        raise ValueError(f"features of type {array.dtype}; numbers (n, d) are expected")
    if array.ndim != 2:
        hint = "; one frame is (1, d)" if array.ndim == 1 else ""
        raise ValueError(f"features of shape {array.shape}; (n, d) is expected: n frames{hint}")
    with np.errstate(over="ignore", invalid="ignore"):
        frames = np.ascontiguousarray(array, np.float16)
    odd = (frames.view(np.uint16) & _EXPONENT) == _EXPONENT  # several times as fast as isfinite
    if odd.any():
        row, column = (int(place) for place in np.argwhere(odd)[0])
        raise ValueError(
            f"frame {row} has {array[row, column]} in column {column}; accepted are finite numbers "
            f"within float16, from -{MOST} to {MOST}"
        )
    return frames
