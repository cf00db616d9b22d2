"""NeXtVLAD: a set of frames in, one vector out.

A mean over frames keeps only their centre. This layer asks instead how the frames spread around a
few learned centres, and splits each frame into groups first, so that the description stays small
enough for one dense layer.
"""

from typing import Any

import keras
from keras import ops

from vidsim.layers.batch_norm import BatchNorm
from vidsim.layers.numeric import Tensor, at_least_float32, float32_range, l2_normalize


@keras.saving.register_keras_serializable("vidsim")
class NeXtVLAD(keras.layers.Layer):
    """Aggregate frames by their residuals to K learned centres.

    A frame of D numbers is widened to E = expansion * D and cut into G groups of S = E / G. Each
    group is assigned softly to the K centres, weighted by a sigmoid attention; the weighted
    residuals are summed over frames and groups, normalised per centre and projected.

    A frame that the mask hides enters neither the sums nor the statistics of the batch
    normalisation, and a video without any frame gives exactly zeros. (A training batch in which
    *no* video has a frame would move the moving statistics one step towards zero.)

    Shapes: frames (B, T, D), mask (B, T) -> (B, output_size).

    Args:
        clusters: K, the number of centres.
        output_size: Width of the result.
        expansion: How many times a frame is widened.
        groups: G; divides expansion * D.
        dropout: Fraction of the K * S residuals dropped in training.
        batch_norm: Whether to normalise the assignment scores. Off only to measure what it is
            worth.
        **kwargs: As for every Keras layer (`name`, `dtype`, ...).

    Raises:
        ValueError: When `groups` does not divide expansion * D.

    Reference:
        Lin et al. 2018, NeXtVLAD: An Efficient Neural Network to Aggregate Frame-level Features
        for Large-scale Video Classification, arXiv:1811.05014.
    """

    def __init__(
        self,
        clusters: int,
        output_size: int,
        expansion: float = 2,
        groups: int = 8,
        dropout: float = 0.2,
        batch_norm: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # takes a mask and, having no time axis left, passes none on
        self.clusters = clusters
        self.output_size = output_size
        self.expansion = expansion
        self.groups = groups
        self.dropout = dropout
        self.batch_norm = batch_norm

    def build(self, frames_shape: tuple[int | None, ...]) -> None:
        """Make the weights for frames of shape (B, T, D)."""
        *lead, width = frames_shape
        if width is None:
            raise ValueError(f"the width of the frames must be known, got shape {frames_shape}")
        wide = round(self.expansion * width)
        if self.groups < 1 or wide % self.groups:
            raise ValueError(
                f"groups {self.groups} does not divide the expanded width {wide} "
                f"(expansion {self.expansion} x {width})"
            )
        size = wide // self.groups
        scores = self.groups * self.clusters
        self.expand = self._dense(wide, "expand", (*lead, width))
        self.attention = self._dense(self.groups, "attention", (*lead, wide))
        self.assignment = self._dense(scores, "assignment", (*lead, wide), use_bias=False)
        if self.batch_norm:
            self.score_norm = BatchNorm(dtype=self.dtype_policy, name="score_norm")
            self.score_norm.build((*lead, scores))
        self.centres = self.add_weight(
            name="centres",
            shape=(self.clusters, size),
            initializer="glorot_normal",
            autocast=False,  # a residual is a difference: kept in float32
        )
        self.drop = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy, name="drop")
        self.project = self._dense(
            self.output_size, "project", (frames_shape[0], self.clusters * size)
        )

    def _dense(
        self, units: int, name: str, input_shape: tuple[int | None, ...], use_bias: bool = True
    ) -> keras.layers.Dense:
        dense = keras.layers.Dense(units, use_bias=use_bias, dtype=self.dtype_policy, name=name)
        dense.build(input_shape)
        return dense

    def call(self, frames: Tensor, mask: Tensor, training: bool | None = None) -> Tensor:
        """Aggregate `frames` (B, T, D) where `mask` (B, T) is True."""
        mask = ops.cast(mask, "bool")
        batch, size = ops.shape(frames)[0], self.centres.shape[-1]
        wide = self.expand(frames)  # (B, T, D) -> (B, T, E)
        assignment = self._assign(wide, mask, training)  # (B, T * G, K)
        # A centre that hardly any frame is near gives short residuals: gradients beyond float16.
        groups = ops.reshape(float32_range(wide), (batch, -1, size))  # (B, T, E) -> (B, T * G, S)

        # sum_n a_nk (x_n - c_k) = sum_n a_nk x_n - c_k sum_n a_nk: nothing of size T * G * K * S.
        sums = ops.matmul(ops.transpose(assignment, (0, 2, 1)), groups)  # (B, K, S)
        weight = ops.sum(at_least_float32(assignment), axis=1)[:, :, None]  # (B, K, 1)
        residuals = at_least_float32(sums) - weight * self.centres

        flat = ops.reshape(l2_normalize(residuals), (batch, self.clusters * size))
        flat = self.drop(ops.cast(flat, self.compute_dtype), training=training)
        output = self.project(flat)  # (B, K * S) -> (B, output_size)
        has_frame = ops.any(mask, axis=1, keepdims=True)  # the projection has a bias
        return output * ops.cast(has_frame, output.dtype)

    def _assign(self, wide: Tensor, mask: Tensor, training: bool | None) -> Tensor:
        """How much of each group goes to each centre; (B, T, E) -> (B, T * G, K)."""
        scores = self.assignment(wide)  # (B, T, E) -> (B, T, G * K)
        if self.batch_norm:
            scores = self.score_norm(scores, training=training, mask=mask)
        batch = ops.shape(wide)[0]
        scores = ops.reshape(at_least_float32(scores), (batch, -1, self.clusters))
        attention = ops.sigmoid(at_least_float32(self.attention(wide)))  # (B, T, G)
        attention = ops.where(mask[:, :, None], attention, 0.0)
        assignment = ops.softmax(scores) * ops.reshape(attention, (batch, -1, 1))
        return ops.cast(assignment, float32_range(wide).dtype)

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Return no mask: the result has no time axis."""

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """(B, T, D) -> (B, output_size)."""
        return frames_shape[0], self.output_size

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again."""
        return {
            **super().get_config(),
            "clusters": self.clusters,
            "output_size": self.output_size,
            "expansion": self.expansion,
            "groups": self.groups,
            "dropout": self.dropout,
            "batch_norm": self.batch_norm,
        }
