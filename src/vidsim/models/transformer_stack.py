"""The layers of an encoder, apart from what embeds its tokens."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras

from vidsim.layers.attention import Rotary
from vidsim.layers.numeric import Tensor
from vidsim.layers.packing import Packing
from vidsim.layers.segments import Segment, pack_segments
from vidsim.layers.transformer_layer import TransformerLayer
from vidsim.models.encoder_config import EncoderConfig

PUBLISHED = MappingProxyType(
    {  # a layer's part -> BERT's name for it
        "attention.query_dense": "attention.self.query",
        "attention.key_dense": "attention.self.key",
        "attention.value_dense": "attention.self.value",
        "attention.output_dense": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "expand": "intermediate.dense",
        "contract": "output.dense",
        "output_norm": "output.LayerNorm",
    }
)


class TransformerStack(keras.layers.Layer):
    """Transformer layers of one shape, one after the other.

    Args:
        config: the encoder's architecture; of its embeddings nothing is read.

    Shapes:
        rows (R, width), packing of them, rotary None or (sin, cos) -> (R, width)

    Reference: Devlin et al. 2018 (arXiv:1810.04805); Su et al. 2021 (arXiv:2104.09864).
    """

    def __init__(self, config: EncoderConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.layers = [
            TransformerLayer(
                config.heads,
                config.intermediate,
                config.activation,
                config.dropout,
                config.attention_dropout,
                config.layer_norm_eps,
                config.rotary_value,
                name=f"layer_{i}",
            )
            for i in range(config.layers)
        ]

    def build(self, input_shape: tuple = ()) -> None:
        """Make the weights of all layers that have none; their width is the configuration's."""
        for layer in self.layers:
            if not layer.built:
                layer.build((None, self.config.width))

    def call(
        self,
        rows: Tensor,
        packing: Packing,
        rotary: Rotary = None,
        training: bool | None = None,
    ) -> Tensor:
        """The rows after the last layer."""
        for layer in self.layers:
            rows = layer(rows, packing=packing, rotary=rotary, training=training)
        return rows

    def encode(self, segments: Sequence[Segment], training: bool | None = None) -> Tensor:
        """Segments of width D to (B, the sum of all S, D); what the masks hide has no meaning."""
        packed = pack_segments(segments, self.config.heads, self.config.positions == "rotary")
        rows = self(packed.rows, packing=packed.packing, rotary=packed.rotary, training=training)
        return packed.packing.positions(rows)

    def published_weights(self) -> dict[str, Any]:
        """Every weight by its name in BERT's and RoFormer's checkpoints, without their prefix."""
        named = {}
        for number, layer in enumerate(self.layers):
            named |= layer_weights(f"encoder.layer.{number}", layer)
        return named


def layer_weights(
    name: str, layer: keras.layers.Layer, names: Mapping[str, str] = PUBLISHED
) -> dict[str, Any]:
    """The weights of one layer by their names in BERT's and RoFormer's checkpoints.

    Args:
        name: of the layer there, as `encoder.layer.0`.
        layer: has the parts that are named.
        names: a layer's part to the checkpoint's name for it.
    """
    named = {}
    for ours, theirs in names.items():
        part = layer
        for step in ours.split("."):
            part = getattr(part, step)
        named |= weight_and_bias(f"{name}.{theirs}", part)
    return named


def weight_and_bias(name: str, layer: keras.layers.Layer) -> dict[str, Any]:
    """The two weights of a dense layer or LayerNorm by the names that PyTorch gives them."""
    if isinstance(layer, keras.layers.LayerNormalization):
        return {f"{name}.weight": layer.gamma, f"{name}.bias": layer.beta}
    return {f"{name}.weight": layer.kernel, f"{name}.bias": layer.bias}
