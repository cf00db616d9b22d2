"""A sequence as a list of segments, such as a title and frames, which are packed together once."""

from collections.abc import Sequence
from dataclasses import dataclass

from keras import ops

from vidsim.layers.attention import Rows
from vidsim.layers.numeric import Tensor
from vidsim.layers.packing import pack
from vidsim.layers.rotary import rotary_angles


@dataclass(frozen=True)
class Segment:
    """Tokens of one kind, embedded, for B videos.

    Attributes:
        embedded: (B, S, D).
        mask: (B, S) bool, the real ones.
        positions: (S,) or (B, S) int, where they stand in the whole sequence; read by rotary
            attention only. The number of padding tokens before them must not change it.
    """

    embedded: Tensor
    mask: Tensor
    positions: Tensor


def pack_segments(segments: Sequence[Segment], heads: int, rotary: bool) -> Rows:
    """The real tokens of all segments, one segment after the other, as packed rows.

    ``packing.positions(rows)`` of the result is (B, the sum of all S, D); `split` cuts it again.

    Args:
        segments: at least one, of the same B and D. All get the dtype of the first.
        heads: of the attention that reads the rows; divides D.
        rotary: whether that attention needs the rows' angles.
    """
    first = segments[0].embedded
    masks = [ops.cast(segment.mask, "bool") for segment in segments]
    x = _join([ops.cast(segment.embedded, first.dtype) for segment in segments])
    mask = _join(masks)
    packing = pack(mask, heads)
    if not rotary:
        return Rows(packing.rows(x), packing)
    size, batch = first.shape[-1] // heads, ops.shape(mask)[0]
    if all(len(segment.positions.shape) == 1 for segment in segments):
        positions = ops.concatenate([segment.positions for segment in segments])
        angles = [_repeat(angle, batch) for angle in rotary_angles(positions, size)]
    else:
        positions = _join([_by_video(segment.positions, batch) for segment in segments])
        angles = rotary_angles(positions, size)  # (B, S, size / 2)
    return Rows(packing.rows(x), packing, [packing.rows(angle) for angle in angles])


def split(x: Tensor, segments: Sequence[Segment]) -> list[Tensor]:
    """(B, the sum of all S, ...) -> (B, S, ...) for each segment."""
    parts, start = [], 0
    for number, segment in enumerate(segments):
        end = start + ops.shape(segment.mask)[1]
        # the last one to the end, so that a length known beforehand stays known
        parts.append(x[:, start:end] if number < len(segments) - 1 else x[:, start:])
        start = end
    return parts


def _join(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)


def _by_video(positions: Tensor, batch: int) -> Tensor:
    return positions if len(positions.shape) == 2 else _repeat(positions, batch)


def _repeat(x: Tensor, batch: int) -> Tensor:
    """(S, ...) -> (B, S, ...)."""
    return ops.broadcast_to(x[None], (batch, *ops.shape(x)))
