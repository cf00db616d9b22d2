"""The order of training: random, in batches of examples of like lengths.

A batch is padded to its own longest title and video. Cut from a mere permutation, nearly every one
holds some long title and pays its length for all; cut from stretches sorted by length, short
examples are among themselves and cost what they are.
"""

from collections.abc import Iterator

import numpy as np

_STEP = 4  # frames; titles are sorted among videos whose numbers of frames are about the same


def batches_of_epoch(
    lengths: np.ndarray, size: int, pool: int, rng: np.random.Generator
) -> np.ndarray:
    """One pass over the data.

    A permutation is cut into pools, each pool sorted by length and cut into batches, and these
    shuffled. The rest that fills no batch is left out, another rest each time.

    Args:
        lengths: (N, 2) tokens and frames of each example.
        size: examples in a batch.
        pool: batches sorted together; 1 leaves the permutation as it is.
        rng: source of all choices.

    Returns:
        (N // size, size) int64 rows of ``lengths``.
    """
    order = rng.permutation(len(lengths))[: len(lengths) // size * size]
    if pool == 1:
        return order.reshape(-1, size)
    batches = []
    for start in range(0, len(order), pool * size):
        stretch = order[start : start + pool * size]
        tokens, frames = lengths[stretch].T
        inside = np.lexsort((tokens, frames // _STEP))
        cut = stretch[inside].reshape(-1, size)
        batches.append(cut[rng.permutation(len(cut))])
    return np.concatenate(batches)


def batches_of_run(
    lengths: np.ndarray,
    size: int,
    steps: int,
    pool: int,
    seed: int | tuple[int, ...],
    first: int = 0,
) -> Iterator[tuple[int, np.ndarray]]:
    """(step, (size,) rows) of every batch from step ``first`` on.

    A pure function of its arguments: batches before ``first`` are passed over, not made.
    """
    per_epoch = len(lengths) // size
    batches = np.empty((0, size), "int64")
    for step in range(first, steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0 or step == first:
            rng = np.random.default_rng([*seed_numbers(seed), 0, epoch])
            batches = batches_of_epoch(lengths, size, pool, rng)
        yield step, batches[place]


def seed_numbers(seed: int | tuple[int, ...]) -> tuple[int, ...]:
    """A seed of one number or several as several."""
    return seed if isinstance(seed, tuple) else (seed,)
