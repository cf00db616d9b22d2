"""Which frames of a video are looked at."""

import numpy as np


def sample_frames(n_frames: np.ndarray, most: int, rule: str = "uniform"):
    """Chooses at most ``most`` frames of each video.

    A video with no more frames than that gives them all. Otherwise, "uniform" takes the middle
    frame of each of ``most`` equal stretches; "published" steps by n // most from half a step, so
    that up to ``most`` - 1 frames at the end of the video are never seen (32 to 63 frames: the
    first 32).

    Args:
        n_frames: (B,) frames of each video, may be 0.
        most: greatest number of frames taken.
        rule: "uniform" or "published".

    Returns:
        index (B, T) int64 within each video, mask (B, T) bool; T is the largest number taken in
        this batch, at least 1. Where the mask is False the index is 0.
    """
    n = np.asarray(n_frames, "int64")[:, None]  # (B, 1)
    slots = np.arange(max(min(int(n.max(initial=0)), most), 1))
    mask = slots < np.minimum(n, most)
    if rule == "uniform":
        index = (2 * slots + 1) * n // (2 * most)
    elif rule == "published":
        step = n // most
        index = slots * step + step // 2
    else:
        raise ValueError(f"frame sampling {rule!r}; accepted are uniform, published")
    index = np.where(n <= most, slots, index)
    return np.where(mask, index, 0), mask
