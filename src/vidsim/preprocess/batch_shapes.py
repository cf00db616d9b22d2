"""A few shapes for all batches, where every new shape is a program to be compiled.

Batches as long as their own longest title and video come in some hundred shapes. On JAX, XLA
compiles each of them, which takes as long as hundreds of updates of a small model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from vidsim import schema

_OVERFLOW = 1e-6  # share of titles with more masked words than there are slots for, at most
_BY_TOKEN = (schema.TOKEN_IDS, schema.TOKEN_MASK, schema.TOKEN_TYPES, schema.UNMASKED_IDS)
_BY_FRAME = (schema.FRAMES, schema.FRAME_MASK, schema.FRAMES_CHOSEN, schema.FRAMES_HIDDEN)
_BY_SLOT = (schema.MLM_POSITIONS, schema.MLM_LABELS, schema.MLM_WEIGHTS)


@dataclass(frozen=True)
class BatchShapes:
    """Numbers of tokens and frames that batches are padded to.

    Attributes:
        sizes: (tokens, frames) of each shape, none smaller than the one before in either.
        mlm_probability: share of the words that are masked.
    """

    sizes: tuple[tuple[int, int], ...]
    mlm_probability: float = 0.0

    @classmethod
    def of(cls, batches: np.ndarray, longest: np.ndarray, most: int, mlm_probability: float = 0.0):
        """Shapes that each take about as many of the given batches.

        Args:
            batches: (N, 2) tokens and frames that each of some batches needs.
            longest: (2,) the most that any batch can need.
            most: shapes, at least 1.
            mlm_probability: share of the words that are masked.
        """
        order = np.argsort(batches.sum(axis=1), kind="stable")
        needed = np.maximum.accumulate(batches[order], axis=0)
        ends = np.arange(1, most) * len(batches) // most
        chosen = [needed[end - 1] for end in ends if end] + [longest]
        sizes = dict.fromkeys((max(int(t), 1), max(int(f), 1)) for t, f in chosen)
        return cls(tuple(sizes), mlm_probability)

    def slots(self, tokens: int) -> int:
        """How many masked words of a title there is room for; more than that are very rare."""
        words = max(tokens - 2, 1)  # [CLS] and [SEP] are never masked
        return max(int(binom.isf(_OVERFLOW, words, self.mlm_probability)), 1)

    def padded(self, batch: Mapping[str, np.ndarray], pad: int) -> dict[str, np.ndarray]:
        """The batch in the smallest shape that takes it; masks and weights hide what is added.

        Args:
            batch: (B, L), (B, T) and (B, P) arrays by their names in vidsim.schema; others stay.
            pad: token id of padding.
        """
        length, count = batch[schema.TOKEN_IDS].shape[1], batch[schema.FRAME_MASK].shape[1]
        fitting = [size for size in self.sizes if size[0] >= length and size[1] >= count]
        tokens, frames = fitting[0] if fitting else (length, count)
        sizes: dict[str, int] = {}
        sizes.update(dict.fromkeys(_BY_TOKEN, tokens), **dict.fromkeys(_BY_FRAME, frames))
        if schema.MLM_WEIGHTS in batch:
            slots = self.slots(tokens)
            needed = batch[schema.MLM_WEIGHTS].shape[1]
            sizes.update(dict.fromkeys(_BY_SLOT, slots if needed <= slots else max(tokens, needed)))
        fills = {schema.TOKEN_IDS: pad, schema.UNMASKED_IDS: pad}
        return {
            key: _longer(value, sizes[key], fills.get(key, 0)) if key in sizes else value
            for key, value in batch.items()
        }


def longest_of_each(lengths: np.ndarray, size: int) -> np.ndarray:
    """(N, 2) lengths of examples, cut in their order into batches: (batches, 2) their maxima."""
    return np.maximum.reduceat(lengths, np.arange(0, len(lengths), size), axis=0)


def _longer(value: np.ndarray, size: int, fill: int) -> np.ndarray:
    widths = [(0, 0), (0, size - value.shape[1])] + [(0, 0)] * (value.ndim - 2)
    return np.pad(value, widths, constant_values=fill)
