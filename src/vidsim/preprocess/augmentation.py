"""Hiding parts of a video in training: words, frames, or one of the two altogether.

What is hidden is masked exactly as padding is, so every model can be trained so. With few videos
this is the strongest guard against learning them by heart, and a title that must do without its
frames learns what its words have to do with them.
"""

import numpy as np

from vidsim import schema
from vidsim.preprocess.configs import AugmentationConfig


def hide_parts(
    batch: dict[str, np.ndarray], config: AugmentationConfig, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The batch with other masks. The first token, [CLS], always stays.

    Args:
        batch: token_mask (B, L), frame_mask (B, T) and what else a batch has.
        config: probabilities.
        rng: source of all choices.
    """
    tokens, frames = batch[schema.TOKEN_MASK], batch[schema.FRAME_MASK]
    fate = rng.random((len(tokens), 1))
    rate = config.modality_dropout
    no_frames, no_title = fate < rate / 2, (rate / 2 <= fate) & (fate < rate)
    words_kept = (rng.random(tokens.shape) >= config.word_dropout) & ~no_title
    words_kept[:, 0] = True
    frames_kept = (rng.random(frames.shape) >= config.frame_dropout) & ~no_frames
    return batch | {
        schema.TOKEN_MASK: tokens & words_kept,
        schema.FRAME_MASK: frames & frames_kept,
    }
