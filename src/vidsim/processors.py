"""How many processors this process may use, and how much work is done at once by default."""

import os

_MOST = 16  # a process that decodes takes 100 MB, a batch in EfficientNet-Lite0 200 MB


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def at_once() -> int:
    """How many processes decode, or batches are computed, at once: one a processor, at most 16."""
    return min(processors(), _MOST)
