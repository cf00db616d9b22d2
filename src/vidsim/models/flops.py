"""Floating-point operations that a model's matrix products must do, counted by hand.

What a step achieves is these over its time: work that a compiler repeats, and everything that is no
matrix product, counts as time and not as achievement.
"""

from dataclasses import dataclass

from vidsim.models.configs import UniterConfig
from vidsim.models.cross_config import CrossConfig
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.input_spec import InputSpec
from vidsim.models.mix_nextvlad_config import MixNeXtVLADConfig

TRAINING = 3  # a product's gradient is two products of its size: by its input and by its weight


@dataclass(frozen=True)
class VideoShape:
    """What one video looks like to a model.

    Attributes:
        words: tokens of its title; on JAX the padding that is computed with them, too.
        frames: the same of its frames.
        masked: slots for masked words; 0 without that objective.
    """

    words: int
    frames: int
    masked: int = 0


def forward_flops(
    config: MixNeXtVLADConfig | UniterConfig | CrossConfig, spec: InputSpec, shape: VideoShape
) -> int:
    """Operations of one video's way through the model, a multiplication and an addition being two.

    Training takes ``TRAINING`` times as many. Not counted: what compares videos with each other
    (cosines, the contrastive loss), B or fewer products of one vector each.

    Args:
        config: of the family.
        spec: the text encoder, the frames' width and the number of tags.
        shape: of the video.
    """
    encoder = spec.encoder
    masked = shape.masked * (
        _dense(encoder.width, encoder.width) + _dense(encoder.width, encoder.vocab_size)
    )
    if isinstance(config, UniterConfig):
        return masked + _uniter(config, spec, shape)
    if isinstance(config, CrossConfig):
        return masked + _cross(config, spec, shape)
    return masked + _mix(config, spec, shape)


def _dense(inputs: int, outputs: int) -> int:
    """One row through a dense layer."""
    return 2 * inputs * outputs


def _encoder(encoder: EncoderConfig, length: int) -> int:
    return encoder.layers * _layer(encoder, length)


def _layer(encoder: EncoderConfig, length: int) -> int:
    """One transformer layer over a sequence."""
    width = encoder.width
    row = 4 * _dense(width, width) + 2 * _dense(width, encoder.intermediate)
    return length * (row + _reading(width, length))


def _reading(width: int, length: int) -> int:
    """One row's attention to a sequence: scores, and the weighted sum of the values."""
    return 2 * _dense(width, length)


def _uniter(config: UniterConfig, spec: InputSpec, shape: VideoShape) -> int:
    encoder, frame_size = spec.encoder, spec.frame_size or 0
    pooled = 2 * encoder.width if config.frame_skip else encoder.width
    return (
        shape.frames * _dense(frame_size, encoder.width)
        + _encoder(encoder, shape.words + shape.frames)
        + _dense(pooled, config.hidden_size)
        + _dense(config.hidden_size, spec.num_labels)
    )


def _cross(config: CrossConfig, spec: InputSpec, shape: VideoShape) -> int:
    encoder, frame_size = spec.encoder, spec.frame_size or 0
    width, words, frames = encoder.width, shape.words, shape.frames
    across = (words + frames) * 4 * _dense(width, width)
    across += words * _reading(width, frames) + frames * _reading(width, words)
    both = across + _layer(encoder, words) + _layer(encoder, frames)
    return (
        frames * _dense(frame_size, width)
        + _encoder(encoder, words)
        + config.relational_layers * _layer(encoder, frames)
        + config.cross_layers * both
        + _dense(width, width)
        + _dense(width, config.hidden_size)
        + _dense(config.hidden_size, spec.num_labels)
    )


def _mix(config: MixNeXtVLADConfig, spec: InputSpec, shape: VideoShape) -> int:
    encoder, frame_size = spec.encoder, spec.frame_size or 0
    size, hidden, clusters = config.vlad_hidden_size, config.hidden_size, config.vlad_cluster_size
    wide = round(config.vlad_expansion * frame_size)
    frame = (
        _dense(frame_size, wide)
        + _dense(wide, config.vlad_groups)
        + _dense(wide, config.vlad_groups * clusters)
        + _dense(wide, clusters)  # every group's part of the sums of all clusters
    )
    branch = (
        shape.frames * frame
        + _dense(clusters * wide // config.vlad_groups, size)
        + _dense(2 * size, hidden)
        + 2 * _dense(hidden, hidden // config.se_ratio)
        + _dense(hidden, spec.num_labels)
    )
    pooler = _dense(encoder.width, encoder.width) if config.text_pooling == "cls" else 0
    return (
        _encoder(encoder, shape.words)
        + pooler
        + _dense(encoder.width, size)
        + _dense(frame_size + size, config.branches)
        + config.branches * branch
    )
