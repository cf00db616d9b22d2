"""What pretraining spoils in a batch so that a model can learn to mend it.

Words and vectors are hidden, and texts get the streams of another video. All of it is decided on
the host, from the generator of the batch's step: it is the same on any device and after a resume.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vidsim import schema
from vidsim.preprocess.masking import SpecialTokens, mask_words
from vidsim.preprocess.tensors import STREAMS

Mismatch = Literal["none", "reversed", "random"]

_MLM = (schema.MLM_POSITIONS, schema.MLM_LABELS, schema.MLM_WEIGHTS)
_CHOSEN = {  # a stream -> its vectors to predict, and those of them that are hidden
    schema.FRAMES: (schema.FRAMES_CHOSEN, schema.FRAMES_HIDDEN),
    schema.ACTIONS: (schema.ACTIONS_CHOSEN, schema.ACTIONS_HIDDEN),
}
_FRAMES = (schema.REGION_MASK, schema.FRAME_MASK)  # regions, where a model reads them, for frames
_ACTIONS = (schema.ACTION_MASK, schema.FRAME_MASK)


@dataclass(frozen=True)
class Corruption:
    """How much of a batch is spoiled. The default spoils nothing.

    Attributes:
        words: share of the words to predict (`mask_words`).
        unmasked: whether the batch also has the text as it was, UNMASKED_IDS.
        frames: share of the real frames to predict.
        frames_hidden: share of those that the model sees as zeros.
        actions: share of the real actions to predict. Where a batch has no actions, as many numbers
            are drawn as it has frames, for the actions that a model makes of those: the first one
            is for the first action, and so on.
        actions_hidden: share of those that the model sees as zeros.
        mismatch: which texts get the streams of another video. reversed: those of the batch's
            second half, whose videos change places in reverse order, so that the middle one of an
            odd number stays; random: each with probability 1/2, any other video of the batch.
        words_of_mismatched: whether words are also predicted beside another video.
    """

    words: float = 0.0
    unmasked: bool = False
    frames: float = 0.0
    frames_hidden: float = 1.0
    actions: float = 0.0
    actions_hidden: float = 1.0
    mismatch: Mismatch = "none"
    words_of_mismatched: bool = False

    def keys(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The tensors of a spoiled batch, those of a batch being `names`."""
        drawn = [_CHOSEN[stream] for stream, _, share, _ in self._hidden(names) if share]
        chosen = [key for keys in drawn for key in keys]
        more = (
            *(_MLM if self.words else ()),
            *((schema.UNMASKED_IDS,) if self.unmasked else ()),
            *((schema.MATCHED,) if self.mismatch != "none" else ()),
            *chosen,
        )
        return (*names, *more)

    def apply(
        self,
        batch: dict[str, np.ndarray],
        special: SpecialTokens,
        vocab_size: int,
        rng: np.random.Generator,
    ) -> dict[str, np.ndarray]:
        """The batch with all of `keys`.

        Args:
            batch: as `Examples.batch` makes it.
            special: tokens that are never masked.
            vocab_size: random words come from [0, vocab_size).
            rng: source of all choices.
        """
        spoiled = dict(batch)
        if self.words:
            ids, mask = batch[schema.TOKEN_IDS], batch[schema.TOKEN_MASK]
            masked = mask_words(ids, mask, special, vocab_size, self.words, rng)
            spoiled.update(zip((schema.TOKEN_IDS, *_MLM), masked, strict=True))
        if self.unmasked:
            spoiled[schema.UNMASKED_IDS] = batch[schema.TOKEN_IDS]
        if self.mismatch != "none":
            rows = mismatched_rows(len(batch[schema.TOKEN_IDS]), self.mismatch, rng)
            spoiled |= _with_streams_of(spoiled, rows)
            if self.words and not self.words_of_mismatched:
                kept = spoiled[schema.MATCHED][:, None]
                spoiled[schema.MLM_WEIGHTS] = spoiled[schema.MLM_WEIGHTS] * kept
        for stream, mask_name, share, hidden in self._hidden(spoiled):
            if share:
                mask = spoiled[mask_name]
                chosen = (rng.random(mask.shape) < share) & mask
                names = _CHOSEN[stream]
                spoiled[names[0]] = chosen
                spoiled[names[1]] = chosen & (rng.random(mask.shape) < hidden)
        return spoiled

    def _hidden(self, names: Container[str]) -> Iterator[tuple[str, str, float, float]]:
        """Of frames and actions: the mask of what is drawn from, and the two shares."""
        for stream, masks, share, hidden in (
            (schema.FRAMES, _FRAMES, self.frames, self.frames_hidden),
            (schema.ACTIONS, _ACTIONS, self.actions, self.actions_hidden),
        ):
            there = [mask for mask in masks if mask in names]
            if there:
                yield stream, there[0], share, hidden


def mismatched_rows(count: int, how: Mismatch, rng: np.random.Generator) -> np.ndarray:
    """(B,) the row of the batch whose streams each text gets.

    Args:
        count: B.
        how: see `Corruption`.
        rng: source of all choices; reversed makes none.
    """
    rows = np.arange(count)
    if how == "reversed":
        half = count // 2
        rows[half:] = rows[half:][::-1]
    elif how == "random" and count > 1:
        chosen = rng.random(count) < 0.5
        others = (rows + rng.integers(1, count, count)) % count
        rows = np.where(chosen, others, rows)
    return rows


def _with_streams_of(batch: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """The streams of other rows, their masks and the labels of their actions; and MATCHED."""
    names = {*STREAMS, *(stream.mask for stream in STREAMS.values()), schema.ACTION_LABELS}
    moved = {name: batch[name][rows] for name in names if name in batch}
    return moved | {schema.MATCHED: rows == np.arange(len(rows))}
