"""Masking words for masked-language modelling, a whole batch at a time."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SpecialTokens:
    """Ids of the tokens that masking must know."""

    pad: int
    unk: int
    cls: int
    sep: int
    mask: int


def mask_words(
    token_ids: np.ndarray,
    token_mask: np.ndarray,
    special: SpecialTokens,
    vocab_size: int,
    probability: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Chooses words and hides them: 80 % as [MASK], 10 % as a random word, 10 % as they are.

    Args:
        token_ids: (B, L).
        token_mask: (B, L) bool.
        special: [CLS], [SEP] and [PAD] are never chosen.
        vocab_size: random words come from [0, vocab_size).
        probability: of choosing a word.
        rng: source of all choices.

    Returns:
        masked ids (B, L); positions (B, P), original ids (B, P) and weights (B, P) float32 of the
        chosen words, P the largest number in a row, at least 1; weight 0 marks an unused slot.

    Reference: Devlin et al. 2018, BERT (arXiv:1810.04805), section 3.1.
    """
    hidden = (token_ids == special.cls) | (token_ids == special.sep)
    chosen = (rng.random(token_ids.shape) < probability) & token_mask & ~hidden
    action = rng.random(token_ids.shape)
    random_ids = rng.integers(0, vocab_size, token_ids.shape, dtype=token_ids.dtype)
    replaced = np.where(action < 0.8, special.mask, np.where(action < 0.9, random_ids, token_ids))
    masked = np.where(chosen, replaced, token_ids).astype(token_ids.dtype)
    slots = max(int(chosen.sum(axis=1).max(initial=0)), 1)
    positions = np.argsort(~chosen, axis=1, kind="stable")[:, :slots]  # chosen ones first
    weights = np.take_along_axis(chosen, positions, axis=1)
    labels = np.take_along_axis(token_ids, positions, axis=1)
    return masked, positions.astype("int32"), labels, weights.astype("float32")
