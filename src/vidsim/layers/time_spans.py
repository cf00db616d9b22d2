"""Actions made of frames, where the data have none."""

from keras import ops

from vidsim.layers.numeric import Tensor, at_least_float32


def spans_of(frames: Tensor, mask: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Means over equal spans of time.

    Of n real frames the j-th is in span floor(j k / n), where k = min(n, most).

    Args:
        frames: (B, T, F).
        mask: (B, T), the real ones.
        most: spans of a video; fewer where it has fewer frames.

    Returns:
        (B, most, F) float32, zeros where there is no span, and (B, most) bool.
    """
    mask = ops.cast(mask, "bool")
    place = ops.cumsum(ops.cast(mask, "int32"), axis=1) - 1
    count = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # (B, 1)
    spans = ops.minimum(count, most)
    span = place * spans // ops.maximum(count, 1)
    number = ops.arange(most, dtype="int32")
    within = ops.logical_and(ops.equal(span[:, None], number[None, :, None]), mask[:, None])
    within = ops.cast(within, "float32")  # (B, most, T)
    clean = ops.where(mask[:, :, None], at_least_float32(frames), 0.0)
    sums = ops.matmul(within, clean)
    size = ops.sum(within, axis=-1, keepdims=True)
    return sums / ops.maximum(size, 1.0), number[None] < spans


def first_columns(x: Tensor, count: int) -> Tensor:
    """(B, T) bool -> (B, count): the first ones, False where there are none."""
    more = ops.zeros((ops.shape(x)[0], count), "bool")
    return ops.concatenate([ops.cast(x, "bool"), more], axis=1)[:, :count]
