"""Flags of the augmentation, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AugmentationConfig:
    """Flags of augmentation. All are probabilities; 0 turns one off."""

    word_dropout: float = 0.0
    """Probability of hiding a word of a title."""
    frame_dropout: float = 0.0
    """Probability of hiding a frame."""
    modality_dropout: float = 0.0
    """Probability of hiding a video's whole title or all its frames, one or the other."""
