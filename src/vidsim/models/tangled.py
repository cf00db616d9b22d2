"""The tangled family, ActBERT: words, regions and actions, each a stream of its own."""

from typing import Any

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.attention import Rows
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor, at_least_float32
from vidsim.layers.packing import EveryPosition, Packing, pack
from vidsim.layers.pooling import masked_first, masked_mean
from vidsim.layers.segments import Segment, pack_segments
from vidsim.layers.stream_embedding import WHOLE_PICTURE, StreamEmbedding
from vidsim.layers.tangled_layer import ACTIONS, REGIONS, TEXT, TangledLayer, stretch
from vidsim.layers.time_spans import first_columns, spans_of
from vidsim.layers.transformer_layer import TransformerLayer
from vidsim.models.backbone import Backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.tangled_config import TangledConfig
from vidsim.models.text_encoder import TextEncoder


class Tangled(Backbone):
    """ActBERT over words, regions and actions.

    Where the data have no regions, frames are regions that fill the picture. Before the first one
    stands the global region, their mean. Where the data have no actions, the means of equal spans
    of frames are the actions, as many as there are frames at most.

    Each stream's first position goes through a ReLU layer: t, r, a. Their vector is t * r + a; of a
    video without words r + a, and of one without regions t + a.

    Outputs, besides EMBEDDING (B, 256), a linear layer on that vector, and, where there are tags,
    TAG_LOGITS (B, C): MATCH_VECTOR (B, tangled width), the vector; HIDDEN_STATES (B, L, width)
    over the text, FRAME_STATES (B, T, region width) over the regions without the global one,
    ACTION_STATES (B, A, width) over the actions.

    Reference: Zhu and Yang 2020, ActBERT (CVPR 2020); PaddleVideo's code of it, for the order of
    the layers, the poolers and the global region.
    """

    def __init__(self, config: TangledConfig, spec: InputSpec) -> None:
        super().__init__(config, spec)
        encoder = spec.encoder
        self.published, self.spans = config.published_quirks, config.action_spans
        self.text_encoder = TextEncoder(encoder, name="text_encoder")
        self.widths = {TEXT: encoder.width, REGIONS: config.region_width, ACTIONS: encoder.width}
        self.heads = {
            TEXT: encoder.heads,
            REGIONS: config.region_heads,
            ACTIONS: config.action_heads,
        }
        self.tangled_heads = config.tangled_heads
        inner = {
            TEXT: encoder.intermediate,
            REGIONS: config.region_intermediate,
            ACTIONS: config.action_intermediate,
        }
        drops = (encoder.dropout, encoder.attention_dropout, encoder.layer_norm_eps)
        counts = {REGIONS: config.region_layers, ACTIONS: config.action_layers}
        self.embeddings, self.own = {}, {}
        for name, count in counts.items():
            self.embeddings[name] = StreamEmbedding(
                self.widths[name],
                encoder.dropout,
                encoder.layer_norm_eps,
                config.feature_dropout,
                boxes=name == REGIONS,
                name=f"{name}_embedding",
            )
            shape = (self.heads[name], inner[name], encoder.activation, *drops)
            self.own[name] = [
                TransformerLayer(*shape, name=f"{name}_layer_{i}") for i in range(count)
            ]
        meeting = (config.tangled_width, config.tangled_heads, inner, encoder.activation, *drops)
        self.tangled = [
            TangledLayer(*meeting, self.published, name=f"tangled_{i}")
            for i in range(config.tangled_layers)
        ]
        self.poolers = {
            name: dense(config.tangled_width, f"{name}_pooler", activation="relu")
            for name in self.widths
        }
        self.dropout = keras.layers.Dropout(config.dropout, dtype="float32", name="dropout")
        self.project = keras.layers.Dense(config.hidden_size, dtype="float32", name="project")
        self.classifier = self.make_classifier("classifier")

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of all layers but the last two."""
        self.text_encoder.build(())
        for name, key in ((REGIONS, schema.REGIONS), (ACTIONS, schema.ACTIONS)):
            size = self.spec.widths.get(key, self.spec.frame_size)
            self.embeddings[name].build((None, None, size))
            for layer in self.own[name]:
                layer.build((None, self.widths[name]))
        for layer in self.tangled:
            layer.build(self.widths)
        for name, pooler in self.poolers.items():
            pooler.build((None, self.widths[name]))

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """Embed B videos."""
        regions, boxes, real = self._regions(inputs)
        actions, there = self._actions(inputs)
        masks = {TEXT: ops.cast(inputs[schema.TOKEN_MASK], "bool"), REGIONS: real, ACTIONS: there}
        embed = self.embeddings
        states = self.encode(
            self.text_encoder.embed(
                inputs[schema.TOKEN_IDS], inputs.get(schema.TOKEN_TYPES), training=training
            ),
            embed[REGIONS](regions, boxes, training=training),
            embed[ACTIONS](actions, training=training),
            masks,
            training,
        )
        fused = self.dropout(self.fuse(states, masks), training=training)  # (B, tangled width)
        outputs = {schema.EMBEDDING: self.project(fused)}
        if self.classifier is not None:
            outputs[schema.TAG_LOGITS] = self.classifier(outputs[schema.EMBEDDING])
        return outputs | {
            schema.MATCH_VECTOR: fused,
            schema.HIDDEN_STATES: states[TEXT],
            schema.FRAME_STATES: states[REGIONS][:, 1:],
            schema.ACTION_STATES: states[ACTIONS],
        }

    def encode(
        self,
        text: Tensor,
        regions: Tensor,
        actions: Tensor,
        masks: dict[str, Tensor],
        training: bool | None = None,
    ) -> dict[str, Tensor]:
        """Embedded streams, the global region among them, to their states, each (B, S, width).

        Text layers before the last `tangled_layers`; then, as often, a tangled layer and one layer
        of each stream; then what regions and actions have besides.
        """
        encoder = self.spec.encoder
        packings = {name: self._pack(name, masks[name], self.heads[name]) for name in masks}
        meeting = {name: self._pack(name, masks[name], self.tangled_heads) for name in masks}
        words = Segment(text, masks[TEXT], ops.arange(ops.shape(text)[1]))
        packed = pack_segments([words], encoder.heads, encoder.positions == "rotary")
        rows = {
            TEXT: packed.rows,
            REGIONS: packings[REGIONS].rows(regions),
            ACTIONS: packings[ACTIONS].rows(actions),
        }
        stretches = {
            name: stretch(masks[name], masks[ACTIONS], self.published) for name in (TEXT, REGIONS)
        }

        def advance(name: str, layer: TransformerLayer) -> None:
            packing, rotary = packings[name], packed.rotary if name == TEXT else None
            rows[name] = layer(rows[name], packing=packing, rotary=rotary, training=training)

        layers = {TEXT: self.text_encoder.stack.layers, **self.own}
        before = len(layers[TEXT]) - len(self.tangled)
        for layer in layers[TEXT][:before]:
            advance(TEXT, layer)
        for place, tangled in enumerate(self.tangled):
            streams = {name: Rows(rows[name], meeting[name]) for name in masks}
            rows |= tangled(streams=streams, stretches=stretches, training=training)
            advance(TEXT, layers[TEXT][before + place])
            advance(REGIONS, layers[REGIONS][place])
            advance(ACTIONS, layers[ACTIONS][place])
        for name in (REGIONS, ACTIONS):
            for layer in layers[name][len(self.tangled) :]:
                advance(name, layer)
        return {name: packings[name].positions(rows[name]) for name in masks}

    def fuse(self, states: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """(B, tangled width) float32: t * r + a, without a factor that there is none of."""
        first = {name: masked_first(states[name], masks[name]) for name in states}
        pooled = {n: at_least_float32(pooler(first[n])) for n, pooler in self.poolers.items()}
        there = {n: ops.any(masks[n], axis=1, keepdims=True) for n in masks}
        text, regions, actions = (
            ops.where(there[n], pooled[n], instead)
            for n, instead in ((TEXT, 1.0), (REGIONS, 1.0), (ACTIONS, 0.0))
        )
        return text * regions + actions

    def _pack(self, name: str, mask: Tensor, heads: int) -> Packing:
        """Rows of the real positions; of all actions where padded ones count."""
        every = self.published and name == ACTIONS
        return EveryPosition(mask, heads) if every else pack(mask, heads)

    def _regions(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Features, boxes and mask of the regions behind the global one."""
        own = schema.REGIONS in self.spec.widths
        x = inputs[schema.REGIONS if own else schema.FRAMES]
        mask = ops.cast(inputs[schema.REGION_MASK if own else schema.FRAME_MASK], "bool")
        x = at_least_float32(x)
        whole = ops.reshape(ops.convert_to_tensor(WHOLE_PICTURE), (1, 1, -1))
        shape = (*ops.shape(mask), len(WHOLE_PICTURE))
        boxes = ops.broadcast_to(whole, shape)
        if schema.REGION_BOXES in self.spec.widths:
            boxes = at_least_float32(inputs[schema.REGION_BOXES])
        boxes = ops.concatenate([ops.broadcast_to(whole, (shape[0], 1, shape[2])), boxes], axis=1)
        x = ops.concatenate([masked_mean(x, mask)[:, None], x], axis=1)
        return x, boxes, ops.concatenate([ops.any(mask, axis=1, keepdims=True), mask], axis=1)

    def _actions(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Features and mask of the actions."""
        if schema.ACTIONS in self.spec.widths:
            return inputs[schema.ACTIONS], ops.cast(inputs[schema.ACTION_MASK], "bool")
        x, mask = spans_of(inputs[schema.FRAMES], inputs[schema.FRAME_MASK], self.spans)
        hidden = inputs.get(schema.ACTIONS_HIDDEN)
        if hidden is not None:
            x = ops.where(first_columns(hidden, self.spans)[:, :, None], 0.0, x)
        return x, mask
