"""The joint family: words and frames in one sequence through one encoder, pooled over what is real.

Uniter, VideoBERT and the challenge's winner differ by what `JointLayout` says.
"""

from typing import Any

import keras
from keras import ops

from vidsim import schema
from vidsim.layers.attention_pooling import AttentionPooling
from vidsim.layers.frame_embedding import FrameEmbedding
from vidsim.layers.numeric import Tensor
from vidsim.layers.pooling import masked_first, masked_max, masked_mean
from vidsim.layers.segments import Segment, split
from vidsim.models.backbone import Backbone
from vidsim.models.configs import JointFamilyConfig
from vidsim.models.input_spec import InputSpec
from vidsim.models.text_encoder import TextEncoder
from vidsim.models.transformer_stack import TransformerStack


class Joint(Backbone):
    """A single-stream encoder over text and frames.

    Uniter's published mean ran over 32 slots of words and 32 of frames, padding included, so title
    and frames weighed the same. Pooling "mean" keeps that balance, without the padding: with four
    frames beside thirteen words, a mean over all of them would hardly see the frames.

    Outputs, besides EMBEDDING (B, 256, signed) and, where there are tags, TAG_LOGITS (B, C):
    HIDDEN_STATES (B, L, width), the encoder's output over the text, where masked words are
    predicted; FRAME_STATES (B, T, width), that over the frames; MATCH_VECTOR (B, width), that at
    the token which the layout names for it. A model of frames alone has the second only, one of
    text alone the first.

    Reference: fourth place of the CIKM 2021 multimodal video similarity challenge; Chen et al.
    2020, UNITER (arXiv:1909.11740); Sun et al. 2019, VideoBERT (arXiv:1904.01766); the challenge's
    winner (arXiv:2111.01677).
    """

    def __init__(self, config: JointFamilyConfig, spec: InputSpec) -> None:
        super().__init__(config, spec)
        encoder = spec.encoder
        self.layout = config.layout.reading(spec.has_text, spec.frame_size is not None)
        self.places = self.layout.places(config.text_length, config.max_frames)
        kind = TextEncoder if spec.has_text else TransformerStack
        self.text_encoder = kind(encoder, name="text_encoder")
        self.frame_embedding = None
        if spec.frame_size is not None:
            learned = self.layout.frame_positions and encoder.positions == "absolute"
            self.frame_embedding = FrameEmbedding(
                encoder.width,
                encoder.dropout,
                encoder.layer_norm_eps,
                config.feature_dropout,
                self.layout.frame_activation,
                self.layout.frame_type,
                config.max_frames if learned else 0,
                name="frame_embedding",
            )
        self.attention_pooling = None
        if self.layout.pooling == "attention":
            self.attention_pooling = AttentionPooling(name="attention_pooling")
        self.project = keras.layers.Dense(config.hidden_size, dtype="float32", name="project")
        self.classifier = self.make_classifier("classifier")

    def build(self, input_shape: Any = None) -> None:
        """Make the encoder's weights, whose parts `call` uses one by one."""
        self.text_encoder.build(())

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """Embed B videos."""
        segments = self._segments(inputs, training)
        hidden = self._stack.encode(segments, training)  # (B, the whole sequence, width)
        parts = split(hidden, segments)
        pooled = self._pool(hidden, parts, [segment.mask for segment in segments])
        names = [place.name for place in self.places]
        if self.layout.frame_skip:
            frames = segments[names.index("frames")]
            mean = masked_mean(frames.embedded, ops.cast(frames.mask, "bool"))
            pooled = ops.concatenate([pooled, mean], axis=-1)
        outputs = {schema.EMBEDDING: self.project(pooled)}
        if self.classifier is not None:
            outputs[schema.TAG_LOGITS] = self.classifier(outputs[schema.EMBEDDING])
        if self.spec.has_text:
            outputs[schema.HIDDEN_STATES] = self._over_text(parts)
        if "frames" in names:
            outputs[schema.FRAME_STATES] = parts[names.index("frames")]
            at = self.layout.token(self.layout.match_at)
            if at is not None:
                outputs[schema.MATCH_VECTOR] = masked_first(parts[at], segments[at].mask)
        return outputs

    def encoder_was_loaded(self) -> None:
        """Frames start at the scale of the words that the encoder knows: with their LayerNorm."""
        if self.frame_embedding is None or not self.spec.has_text:
            return
        words, frames = self.text_encoder.norm, self.frame_embedding.norm
        if words.gamma.shape == frames.gamma.shape:  # not where words are embedded more narrowly
            frames.gamma.assign(words.gamma)
            frames.beta.assign(words.beta)

    @property
    def _stack(self) -> TransformerStack:
        return self.text_encoder.stack if self.spec.has_text else self.text_encoder

    def _segments(self, inputs: dict[str, Tensor], training: bool | None) -> list[Segment]:
        """The sequence's pieces, embedded."""
        frames: Tensor = None
        text: Tensor = None
        if self.frame_embedding is not None:
            frames = self.frame_embedding(inputs[schema.FRAMES], training=training)
        if self.spec.has_text:
            text = self._embedded_text(inputs, training)
        segments = []
        for place in self.places:
            if place.name == "frames":
                x, mask = frames, inputs[schema.FRAME_MASK]
            elif place.name == "sep":
                x, mask = self._separator(inputs, place.among_words, training)
            elif place.name == "text":
                x, mask = text, inputs[schema.TOKEN_MASK]
            else:
                part = slice(1) if place.name == "cls" else slice(1, None)
                x, mask = text[:, part], inputs[schema.TOKEN_MASK][:, part]
            mask = ops.cast(mask, "bool")
            positions = place.among_all + ops.arange(ops.shape(mask)[1])
            segments.append(Segment(x, mask, positions))
        return segments

    def _embedded_text(self, inputs: dict[str, Tensor], training: bool | None) -> Tensor:
        """(B, L, width); [CLS] and the words may stand apart, with separators between them."""
        ids, types = inputs[schema.TOKEN_IDS], inputs.get(schema.TOKEN_TYPES)
        starts = {place.name: place.among_words for place in self.places}
        positions = None
        if "words" in starts:
            index = ops.arange(ops.shape(ids)[1])
            # a [CLS] that is not in the sequence is embedded all the same, and cut off
            after = index - 1 + starts["words"]
            positions = ops.where(index == 0, starts.get("cls", 0), after)
        elif starts["text"]:
            positions = starts["text"] + ops.arange(ops.shape(ids)[1])
        return self.text_encoder.embed(ids, types, positions, training)

    def _separator(
        self, inputs: dict[str, Tensor], position: int, training: bool | None
    ) -> tuple[Tensor, Tensor]:
        """A [SEP] for every video: (B, 1, width), and its mask (B, 1)."""
        batch = ops.shape(inputs[schema.TOKEN_IDS])[0]
        ids = ops.full((batch, 1), self.spec.separator, "int32")
        x = self.text_encoder.embed(ids, None, ops.full((1,), position, "int32"), training)
        return x, ops.full((batch, 1), True, "bool")

    def _over_text(self, parts: list[Tensor]) -> Tensor:
        """The pieces' hidden states that belong to token_ids: (B, L, width)."""
        by_name = {place.name: part for place, part in zip(self.places, parts, strict=True)}
        if "text" in by_name:
            return by_name["text"]
        words = by_name["words"]
        first = by_name["cls"] if "cls" in by_name else ops.zeros_like(parts[0][:, :1])
        return ops.concatenate([first, words], axis=1)

    def _pool(self, hidden: Tensor, parts: list[Tensor], masks: list[Tensor]) -> Tensor:
        """(B, the whole sequence, width), also in its parts, -> (B, width), over what is real."""
        pooling = self.layout.pooling
        if pooling in ("max", "token_mean", "attention"):
            mask = ops.concatenate(masks, axis=1)
            if self.attention_pooling is not None:
                return self.attention_pooling(hidden, mask)
            return masked_max(hidden, mask) if pooling == "max" else masked_mean(hidden, mask)
        names = [place.name for place in self.places]
        if pooling in ("cls", "sep"):
            at = self.layout.token(pooling)
            assert at is not None  # build_backbone refuses a layout without that token
            return masked_first(parts[at], masks[at])
        return self._balanced_mean(names, parts, masks)

    def _balanced_mean(self, names: list[str], parts: list[Tensor], masks: list[Tensor]) -> Tensor:
        """Half the words' mean and half the frames', or the mean of what there is."""
        means, real = [], []
        for of_frames in (False, True):
            chosen = [i for i, name in enumerate(names) if (name == "frames") == of_frames]
            if chosen:
                mask = _join([masks[i] for i in chosen])
                means.append(masked_mean(_join([parts[i] for i in chosen]), mask))
                real.append(ops.any(mask, axis=1, keepdims=True))
        if len(means) == 1:
            return means[0]
        words, frames = means
        either = ops.where(real[1], 0.5 * (words + frames), words)
        return ops.where(real[0], either, frames)


def _join(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)
