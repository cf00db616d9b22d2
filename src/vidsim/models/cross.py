"""The cross family, LXMERT: a text encoder, frames beside it, and layers that read across."""

from typing import Any

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.attention import Rows
from vidsim.layers.cross_layer import CrossLayer, CrossReading
from vidsim.layers.dense import dense
from vidsim.layers.numeric import Tensor
from vidsim.layers.pooling import masked_first, masked_mean
from vidsim.layers.segments import Segment, pack_segments
from vidsim.layers.transformer_layer import TransformerLayer
from vidsim.layers.visual_embedding import VisualEmbedding
from vidsim.models.backbone import Backbone
from vidsim.models.cross_config import CrossConfig
from vidsim.models.input_spec import InputSpec
from vidsim.models.text_encoder import TextEncoder
from vidsim.models.transformer_stack import layer_weights, weight_and_bias

_LANGUAGE, _VISION = "language", "vision"


class Cross(Backbone):
    """LXMERT over words and frames.

    The pooler, a tanh layer, reads the language stream's [CLS] after the last layer. A video whose
    text is hidden as a whole has none; there the pooler reads the mean of its frames' states, so
    that it is embedded all the same. A video without frames is one whose words found nothing.

    Outputs, besides EMBEDDING (B, 256), a linear layer on the pooler's vector, and, where there
    are tags, TAG_LOGITS (B, C): HIDDEN_STATES (B, L, width) over the text and FRAME_STATES
    (B, T, width) over the frames, both after the last cross layer, and MATCH_VECTOR (B, width), the
    pooler's. A model of one side has that side's states only; its cross layers are plain ones.

    Reference: Tan and Bansal 2019, LXMERT (arXiv:1908.07490); its form in the Tencent WBDC 2022
    challenge has frames for regions, no boxes, and no layers over them.
    """

    def __init__(self, config: CrossConfig, spec: InputSpec) -> None:
        super().__init__(config, spec)
        encoder = spec.encoder
        self.pooling = config.cross_pooling
        sides = (_LANGUAGE,) if spec.has_text else ()
        sides += (_VISION,) if spec.frame_size is not None else ()
        shape = (
            encoder.heads,
            encoder.intermediate,
            encoder.activation,
            encoder.dropout,
            encoder.attention_dropout,
            encoder.layer_norm_eps,
        )
        if spec.has_text:
            self.text_encoder = TextEncoder(encoder, name="text_encoder")
        self.frame_embedding = None
        self.relational: list[TransformerLayer] = []
        if spec.frame_size is not None:
            self.frame_embedding = VisualEmbedding(
                encoder.width,
                encoder.dropout,
                encoder.layer_norm_eps,
                config.feature_dropout,
                config.visual_embedding != "linear",
                config.visual_embedding == "boxed",
                name="frame_embedding",
            )
            self.relational = [
                TransformerLayer(*shape, name=f"relational_{i}")
                for i in range(config.relational_layers)
            ]
        self.cross = [
            CrossLayer(sides, config.shared_cross_attention, *shape, name=f"cross_{i}")
            for i in range(config.cross_layers)
        ]
        self.pooler = dense(encoder.width, "pooler", activation="tanh")
        self.dropout = keras.layers.Dropout(config.dropout, name="dropout")
        self.project = keras.layers.Dense(config.hidden_size, dtype="float32", name="project")
        self.classifier = self.make_classifier("classifier")

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of the layers whose parts `call` uses one by one."""
        if self.spec.has_text:
            self.text_encoder.build(())
        for layer in (*self.relational, *self.cross):
            layer.build((None, self.spec.encoder.width))

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """Embed B videos."""
        sides: dict[str, Rows] = {}
        if self.spec.has_text:
            sides[_LANGUAGE] = self._language(inputs, training)
        if self.frame_embedding is not None:
            sides[_VISION] = self._vision(inputs, training)
        masks = {name: side.packing.mask for name, side in sides.items()}
        for layer in self.cross:
            sides = layer(sides=sides, training=training)
        states = {name: side.packing.positions(side.rows) for name, side in sides.items()}
        pooled = self.pooler(self._pool(states, masks))  # (B, width)
        embedding = self.project(self.dropout(pooled, training=training))
        outputs = {schema.EMBEDDING: embedding}
        if self.classifier is not None:
            outputs[schema.TAG_LOGITS] = self.classifier(embedding)
        keys = {_LANGUAGE: schema.HIDDEN_STATES, _VISION: schema.FRAME_STATES}
        outputs |= {keys[name]: x for name, x in states.items()}
        if len(states) == 2:
            outputs[schema.MATCH_VECTOR] = pooled
        return outputs

    def published_weights(self) -> dict[str, keras.Variable]:
        """Those of a BERT folder, and of an LXMERT folder what it has besides."""
        named = super().published_weights() | weight_and_bias("pooler.dense", self.pooler)
        for number, layer in enumerate(self.relational):
            named |= layer_weights(f"encoder.r_layers.{number}", layer)
        for number, layer in enumerate(self.cross):
            named |= _cross_weights(f"encoder.x_layers.{number}", layer)
        frames = self.frame_embedding
        if frames is not None and frames.norm is not None:
            named |= weight_and_bias("encoder.visn_fc.visn_fc", frames.project)
            named |= weight_and_bias("encoder.visn_fc.visn_layer_norm", frames.norm)
        if frames is not None and frames.box is not None and frames.box_norm is not None:
            named |= weight_and_bias("encoder.visn_fc.box_fc", frames.box)
            named |= weight_and_bias("encoder.visn_fc.box_layer_norm", frames.box_norm)
        return named

    def _language(self, inputs: dict[str, Tensor], training: bool | None) -> Rows:
        """The words' rows after the text encoder."""
        encoder, ids = self.spec.encoder, inputs[schema.TOKEN_IDS]
        x = self.text_encoder.embed(ids, inputs.get(schema.TOKEN_TYPES), training=training)
        text = Segment(x, inputs[schema.TOKEN_MASK], ops.arange(ops.shape(ids)[1]))
        packed = pack_segments([text], encoder.heads, encoder.positions == "rotary")
        rows = self.text_encoder.stack(
            packed.rows, packing=packed.packing, rotary=packed.rotary, training=training
        )
        return Rows(rows, packed.packing, packed.rotary)

    def _vision(self, inputs: dict[str, Tensor], training: bool | None) -> Rows:
        """The frames' rows before the first cross layer. Frames have no positions."""
        assert self.frame_embedding is not None
        x = self.frame_embedding(inputs[schema.FRAMES], training=training)
        mask = inputs[schema.FRAME_MASK]
        frames = Segment(x, mask, ops.arange(ops.shape(mask)[1]))
        packed = pack_segments([frames], self.spec.encoder.heads, rotary=False)
        rows = packed.rows
        for layer in self.relational:
            rows = layer(rows, packing=packed.packing, training=training)
        return Rows(rows, packed.packing)

    def _pool(self, states: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """(B, width): what the pooler reads."""
        means = {name: masked_mean(x, masks[name]) for name, x in states.items()}
        if len(states) == 1:
            (name,) = states
            at_first = name == _LANGUAGE and self.pooling == "cls"
            return masked_first(states[name], masks[name]) if at_first else means[name]
        words, frames = means[_LANGUAGE], means[_VISION]
        real = {name: ops.any(mask, axis=1, keepdims=True) for name, mask in masks.items()}
        if self.pooling == "cls":
            first = masked_first(states[_LANGUAGE], masks[_LANGUAGE])
            return ops.where(real[_LANGUAGE], first, frames)
        either = ops.where(real[_VISION], 0.5 * (words + frames), words)
        return ops.where(real[_LANGUAGE], either, frames)


def _cross_weights(name: str, layer: CrossLayer) -> dict[str, keras.Variable]:
    """A layer's variables by the names in LXMERT's checkpoints, which have one cross-attention."""
    named: dict[str, keras.Variable] = {}
    for reading in layer.readings.values():
        named |= _reading_weights(f"{name}.visual_attention", reading)
    for side, theirs in ((_LANGUAGE, "lang"), (_VISION, "visn")):
        if side in layer.own:
            parts = {
                "attention.self": f"{theirs}_self_att.self",
                "attention.output": f"{theirs}_self_att.output",
                "intermediate": f"{theirs}_inter",
                "output": f"{theirs}_output",
            }
            for ours, variable in layer_weights("", layer.own[side]).items():
                part = next(p for p in parts if ours.startswith(f".{p}."))
                named[f"{name}.{parts[part]}{ours.removeprefix(f'.{part}')}"] = variable
    return named


def _reading_weights(name: str, reading: CrossReading) -> dict[str, keras.Variable]:
    attention, named = reading.attention, {}
    for part in ("query", "key", "value"):
        named |= weight_and_bias(f"{name}.att.{part}", getattr(attention, f"{part}_dense"))
    named |= weight_and_bias(f"{name}.output.dense", attention.output_dense)
    return named | weight_and_bias(f"{name}.output.LayerNorm", reading.norm)
