"""ActBERT's tangled layer: what actions find in words goes to the regions, and the other way."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from vidsim.layers.activations import ACTIVATIONS
from vidsim.layers.attention import Rows, attend
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor

TEXT, REGIONS, ACTIONS = "text", "regions", "actions"


def stretch(mask: Tensor, actions: Tensor, published: bool = False) -> Tensor:
    """Which action each position of a longer sequence gets, by nearest neighbours.

    The j-th of L real positions gets the floor(j A / L)-th of A real actions: padding changes
    nothing. Where there is no action, no position gets one.

    Args:
        mask: (B, S), the real positions.
        actions: (B, A), the real actions.
        published: of all S positions and A actions, padding included, as the public code has it.

    Returns:
        (B, S, A) bool, at most one True for each position.
    """
    mask, actions = ops.cast(mask, "bool"), ops.cast(actions, "bool")
    if published:
        mask, actions = ops.ones_like(mask), ops.ones_like(actions)
    place = ops.cumsum(ops.cast(mask, "int32"), axis=1) - 1  # among the real ones
    number = ops.cumsum(ops.cast(actions, "int32"), axis=1) - 1
    length = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    count = ops.sum(ops.cast(actions, "int32"), axis=1, keepdims=True)
    source = place * count // ops.maximum(length, 1)
    same = ops.equal(source[:, :, None], number[:, None, :])
    return ops.logical_and(same, ops.logical_and(mask[:, :, None], actions[:, None, :]))


class TangledStream(keras.layers.Layer):
    """One stream's own part of a tangled layer: its projections, and what follows its attention.

    Args:
        width: J, of the attention that all streams share.
        intermediate: width of the feed-forward network's hidden layer.
        activation: its activation, a name of ACTIVATIONS.
        dropout: after attention and feed-forward.
        layer_norm_eps: epsilon of both LayerNorms.

    Shapes: rows (R, D), context (R, J) -> (R, D)
    """

    def __init__(
        self,
        width: int,
        intermediate: int,
        activation: str,
        dropout: float,
        layer_norm_eps: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.intermediate = width, intermediate
        self.query, self.key = dense(width, "query"), dense(width, "key")
        self.value = dense(width, "value")
        self.expand = dense(intermediate, "expand", activation=ACTIVATIONS[activation])
        norm = keras.layers.LayerNormalization
        self.attention_norm = norm(epsilon=layer_norm_eps, name="attention_norm")
        self.output_norm = norm(epsilon=layer_norm_eps, name="output_norm")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build(self, input_shape: tuple) -> None:
        """Make the weights for rows of shape (R, D)."""
        size = input_shape[-1]
        for layer in (self.query, self.key, self.value):
            layer.build((None, size))
        self.output_dense, self.contract = dense(size, "output"), dense(size, "contract")
        self.output_dense.build((None, self.width))
        self.attention_norm.build((None, size))
        self.expand.build((None, size))
        self.contract.build((None, self.intermediate))
        self.output_norm.build((None, size))

    def project(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of rows (R, D), each (R, J)."""
        return self.query(rows), self.key(rows), self.value(rows)

    def call(self, rows: Tensor, context: Tensor, training: bool | None = None) -> Tensor:
        """Attention's and the feed-forward network's residual, each with LayerNorm."""
        attended = self.output_dense(context)
        rows = self.attention_norm(rows + self.dropout(attended, training=training))
        transformed = self.contract(self.expand(rows))
        return self.output_norm(rows + self.dropout(transformed, training=training))


class TangledLayer(keras.layers.Layer):
    """Words, regions and actions, each attending to itself with keys and values enriched.

    Actions ask the regions (av) and the words (at). av, stretched to their length, is added to the
    words' keys and values, at to those of the regions. Actions attend to themselves as they are.

    Args:
        width: J, of all attention here.
        heads: of it.
        intermediates: of the feed-forward networks, by stream.
        activation: of those.
        dropout: as TransformerLayer's.
        attention_dropout: of the attention weights.
        layer_norm_eps: epsilon of all LayerNorms.
        published: whether the values that av adds are made by the weights of at's, as in the public
            code, where the ones meant for it stand unused.

    Shapes:
        streams: by TEXT, REGIONS, ACTIONS the Rows of (R, D), packed for `heads`; stretches: by
        TEXT and REGIONS, as `stretch` gives them -> by stream (R, D)

    Reference: Zhu and Yang 2020, ActBERT (CVPR 2020), section 3.2.
    """

    STREAMS: ClassVar[tuple[str, ...]] = (TEXT, REGIONS, ACTIONS)

    def __init__(
        self,
        width: int,
        heads: int,
        intermediates: Mapping[str, int],
        activation: str = "gelu",
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        layer_norm_eps: float = 1e-12,
        published: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.head_size = width, width // heads
        rest = (activation, dropout, layer_norm_eps)
        for name in self.STREAMS:
            part = TangledStream(width, intermediates[name], *rest, name=name)
            setattr(self, name, part)
        self.dropout = keras.layers.Dropout(attention_dropout, name="dropout")
        self.key_at, self.value_at = dense(width, "key_at"), dense(width, "value_at")
        self.key_av = dense(width, "key_av")
        self.value_av = self.value_at if published else dense(width, "value_av")

    def build(self, widths: Mapping[str, int]) -> None:
        """Make the weights for streams of these widths."""
        for name in self.STREAMS:
            getattr(self, name).build((None, widths[name]))
        for layer in (self.key_at, self.value_at, self.key_av, self.value_av):
            if not layer.built:
                layer.build((None, self.width))

    def call(
        self,
        streams: dict[str, Rows],
        stretches: dict[str, Tensor],
        training: bool | None = None,
    ) -> dict[str, Tensor]:
        """The rows of each stream."""
        projected = {name: getattr(self, name).project(streams[name].rows) for name in streams}
        at = self._found_by_actions(TEXT, projected, streams, training)
        av = self._found_by_actions(REGIONS, projected, streams, training)
        more = {
            TEXT: (self.key_av(av), self.value_av(av)),
            REGIONS: (self.key_at(at), self.value_at(at)),
        }
        out = {}
        for name, stream in streams.items():
            query, key, value = projected[name]
            if name in more:
                added = stretched(*more[name], stretches[name], streams[ACTIONS], stream)
                key, value = key + added[0], value + added[1]
            places = (stream.packing, stream.packing, False)
            numbers = (self.head_size, self.dropout, training)
            context = attend(query, key, value, *places, *numbers)
            out[name] = getattr(self, name)(stream.rows, context, training=training)
        return out

    def _found_by_actions(
        self,
        name: str,
        projected: Mapping[str, tuple[Tensor, Tensor, Tensor]],
        streams: Mapping[str, Rows],
        training: bool | None,
    ) -> Tensor:
        """What the actions find in a stream: rows of actions, (R, J)."""
        query, (_, key, value) = projected[ACTIONS][0], projected[name]
        places = (streams[ACTIONS].packing, streams[name].packing, True)
        return attend(query, key, value, *places, self.head_size, self.dropout, training)


def stretched(
    key: Tensor, value: Tensor, places: Tensor, actions: Rows, stream: Rows
) -> list[Tensor]:
    """Rows of actions, as those of a longer stream.

    Args:
        key: (R, J), rows of actions.
        value: (R, J).
        places: (B, S, A), from `stretch`.
        actions: whose rows they are.
        stream: whose rows are wanted.

    Returns:
        two (R of the stream, J), zeros where there is no action.
    """
    both = actions.packing.positions(ops.concatenate([key, value], axis=-1))  # (B, A, 2 J)
    taken = ops.matmul(ops.cast(places, both.dtype), both)  # (B, S, 2 J)
    return ops.split(stream.packing.rows(taken), 2, axis=-1)
