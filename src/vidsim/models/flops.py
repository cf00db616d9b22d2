"""Floating-point operations that a model's matrix products must do, counted by hand.

What a step achieves is these over its time: work that a compiler repeats, and everything that is no
matrix product, counts as time and not as achievement.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vidsim.models.albef_config import AlbefConfig
from vidsim.models.configs import BackboneConfig, JointFamilyConfig
from vidsim.models.cross_config import CrossConfig
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.input_spec import InputSpec
from vidsim.models.mix_nextvlad_config import MixNeXtVLADConfig
from vidsim.models.tangled_config import TangledConfig

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


def forward_flops(config: BackboneConfig, spec: InputSpec, shape: VideoShape) -> int:
    """Operations of one video's way through the model, a multiplication and an addition being two.

    Training takes ``TRAINING`` times as many. Not counted: what compares videos with each other
    (cosines, the contrastive loss), B or fewer products of one vector each.

    Args:
        config: of a family of this package. Frames are ActBERT's regions.
        spec: the text encoder, the frames' width and the number of tags.
        shape: of the video.

    Raises:
        TypeError: a family that nobody has counted.
    """
    encoder = spec.encoder
    masked = shape.masked * (
        _dense(encoder.width, encoder.width) + _dense(encoder.width, encoder.vocab_size)
    )
    for kind, count in _COUNTS.items():
        if isinstance(config, kind):
            return masked + count(config, spec, shape)
    raise TypeError(f"the operations of the family {config.family} are not counted here")


def _dense(inputs: int, outputs: int) -> int:
    """One row through a dense layer."""
    return 2 * inputs * outputs


def _encoder(encoder: EncoderConfig, length: int) -> int:
    return encoder.layers * _layer(encoder, length)


def _layer(encoder: EncoderConfig, length: int) -> int:
    return _transformer(encoder.width, encoder.intermediate, length)


def _transformer(width: int, intermediate: int, length: int) -> int:
    """One transformer layer over a sequence."""
    row = 4 * _dense(width, width) + 2 * _dense(width, intermediate)
    return length * (row + _reading(width, length))


def _reading(width: int, length: int) -> int:
    """One row's attention to a sequence: scores, and the weighted sum of the values."""
    return 2 * _dense(width, length)


def _joint(config: JointFamilyConfig, spec: InputSpec, shape: VideoShape) -> int:
    encoder, frame_size, layout = spec.encoder, spec.frame_size or 0, config.layout
    pieces = layout.sequence
    words = shape.words if "text" in pieces else shape.words - 1 + pieces.count("cls")
    length = words + shape.frames + pieces.count("sep")
    width, pooled = encoder.width, encoder.width * (2 if layout.frame_skip else 1)
    weighed = _dense(width, width) + _dense(width, 1) if layout.pooling == "attention" else 0
    return (
        shape.frames * _dense(frame_size, width)
        + _encoder(encoder, length)
        + length * weighed
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


def _albef(config: AlbefConfig, spec: InputSpec, shape: VideoShape) -> int:
    encoder, frame_size = spec.encoder, spec.frame_size or 0
    width, words, memory = encoder.width, shape.words, shape.frames + 1  # with its [CLS]
    shared = config.fusion_layers if config.fusion_from == "split" else 0
    across = (words + memory) * 2 * _dense(width, width) + words * _reading(width, memory)
    vectors = width, width + (frame_size if config.frame_skip else 0)
    hidden = config.projection_hidden if config.projection == "mlp" else 0
    return (
        (encoder.layers - shared) * _layer(encoder, words)
        + shape.frames * _dense(frame_size, width)
        + config.frame_layers * _layer(encoder, memory)
        + config.fusion_layers * (_layer(encoder, words) + across)
        + sum(_projection(vector, hidden, config.hidden_size) for vector in vectors)
        + sum(_dense(vector, config.hidden_size) for vector in vectors)
        + _dense(config.hidden_size, spec.num_labels)
    )


def _projection(inputs: int, hidden: int, outputs: int) -> int:
    return _dense(inputs, hidden) + _dense(hidden, outputs) if hidden else _dense(inputs, outputs)


def _tangled(config: TangledConfig, spec: InputSpec, shape: VideoShape) -> int:
    encoder, frame_size, met = spec.encoder, spec.frame_size or 0, config.tangled_width
    actions = min(config.action_spans, shape.frames)
    rows = shape.words, shape.frames + 1, actions  # the global region before the others
    widths = encoder.width, config.region_width, encoder.width
    inner = encoder.intermediate, config.region_intermediate, config.action_intermediate
    layers = encoder.layers, config.region_layers, config.action_layers
    own = sum(
        count * _transformer(width, size, length)
        for count, width, size, length in zip(layers, widths, inner, rows, strict=True)
    )
    tangled = actions * 4 * _dense(met, met)
    for width, size, length in zip(widths, inner, rows, strict=True):
        row = 3 * _dense(width, met) + _dense(met, width) + 2 * _dense(width, size)
        tangled += length * (row + _reading(met, length))
    for length in rows[:2]:  # the actions read it, and it gets what they found
        tangled += actions * _reading(met, length) + length * _dense(actions, 2 * met)
    embedded = rows[1] * (_dense(frame_size, widths[1]) + _dense(5, widths[1]))
    return (
        embedded
        + actions * _dense(frame_size, widths[2])
        + own
        + config.tangled_layers * tangled
        + sum(_dense(width, met) for width in widths)
        + _dense(met, config.hidden_size)
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


_COUNTS: dict[type[BackboneConfig], Callable[[Any, InputSpec, VideoShape], int]] = {
    JointFamilyConfig: _joint,
    CrossConfig: _cross,
    AlbefConfig: _albef,
    TangledConfig: _tangled,
    MixNeXtVLADConfig: _mix,
}
