"""How many processors there are for this process, and how many of them are used by default."""

import os

MOST_PROCESSES = 16
"""By default: each process that decodes takes 100 MB, each batch in a model the same and more."""


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
