"""Flags of the augmentation, as data."""

from dataclasses import dataclass

from vidsim.config_fields import Config, Share


@dataclass(frozen=True)
class AugmentationConfig(Config):
    """Flags of augmentation. All are probabilities; 0 turns one off."""

    word_dropout: Share = 0.0
    """Probability of hiding a word of a title."""
    frame_dropout: Share = 0.0
    """Probability of hiding a frame."""
    modality_dropout: Share = 0.0
    """Probability of hiding a video's whole title or all its frames, one or the other."""
