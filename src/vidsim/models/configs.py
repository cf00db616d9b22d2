"""The shapes of the models, as data: flags of the commands, read without Keras.

A new family is its configuration, which names its model, and one file beside this one for that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from vidsim.config_fields import Config, Count, Layers, Range, Rate
from vidsim.errors import VidsimError
from vidsim.models.encoder_config import EncoderConfig, Positions
from vidsim.models.families import register
from vidsim.models.joint_layout import Activation, JointLayout, JointPooling, MatchAt
from vidsim.models.stream_reading import StreamReading
from vidsim.preprocess.text_flags import parse_texts, text_problems

if TYPE_CHECKING:
    from vidsim.models.backbone import Backbone
    from vidsim.models.input_spec import InputSpec

_Width = Annotated[int, Range(1, 2**16)]


@dataclass(frozen=True)
class BackboneConfig(StreamReading, Config):
    """The fields that every family's configuration has. A family adds its own."""

    family: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: object):
        super().__init_subclass__(**kwargs)
        if "family" in vars(cls):
            register(cls)
        elif cls.family:
            raise VidsimError(
                f"{cls.__name__} has the family {cls.family!r} of the class it is made from; "
                "a checkpoint is known by its family: give it another name"
            )

    modalities: Literal["both", "title", "frames"] = "both"
    """What the model is shown of a video. title and frames tell what each side is worth alone."""
    positions: Positions = "absolute"
    """Text encoder: absolute (BERT) or rotary (RoFormer) positions."""
    encoder_layers: Layers = 12
    """Layers of the text encoder (a --bert-dir brings its own)."""
    encoder_width: _Width = 768
    """Hidden size of the text encoder."""
    encoder_heads: _Width = 12
    """Attention heads of the text encoder."""
    encoder_intermediate: Count = 3072
    """Feed-forward size of the text encoder."""
    encoder_dropout: Rate = 0.1
    """Dropout inside the text encoder."""
    vocab_size: Annotated[int, Range(100, 2**24)] = 21128
    """At most this many wordpieces when a vocabulary is trained."""
    bert_seq_length: Annotated[int, Range(3, 2**16)] = 32
    """Longest title in tokens, [CLS] and [SEP] included."""
    text_fields: str = "title"
    """Texts that are read, of title, asr_text, ocr_text: one sequence, [SEP] after each."""
    text_lengths: str = ""
    """Most tokens of each text field with its [SEP], a comma list; default: --bert-seq-length."""
    text_assembly: Literal["none", "tfidf"] = "none"
    """tfidf: keywords of all texts before the title, and of long texts both ends only."""
    max_frames: Annotated[int, Range(1, 2**16)] = 32
    """Most frames taken from one video."""
    frame_sampling: Literal["uniform", "published"] = "uniform"
    """uniform: evenly over the whole video; published: the published rule, which drops the tail."""
    feature_dropout: Rate = 0.0
    """Dropout of the frames' numbers before the model's first layer: the same ones in all frames of
    a video, for what is missing in one frame only comes back with the next."""
    hidden_size: Annotated[int, Range(1, 256)] = 256
    """Size of the embedding; the challenge accepts no more than 256."""
    dropout: Rate = 0.2
    """Dropout before the embedding."""

    def contradictions(self) -> Iterator[str]:
        width, heads = self.encoder_width, self.encoder_heads
        if width % heads:
            yield f"{self.said('encoder_heads')} does not divide {self.said('encoder_width')}"
        elif self.positions == "rotary" and width // heads % 2:
            yield (
                f"{self.said('encoder_width')} and {self.said('encoder_heads')} make heads of "
                f"{width // heads}; rotary positions need an even number"
            )
        texts = text_problems(self.text_fields, self.text_lengths, self.text_assembly)
        yield from (
            f"{self.said(name)}: accepted is {accepted}" for name, accepted in texts.items()
        )

    @property
    def texts(self) -> tuple[tuple[str, int], ...]:
        """The text fields in their order, each with its most tokens."""
        return parse_texts(self.text_fields, self.text_lengths, self.bert_seq_length)

    @property
    def text_length(self) -> int:
        """Most tokens of the whole sequence."""
        return sum(length for _, length in self.texts)

    def encoder(self, vocab_size: int) -> EncoderConfig:
        """The text encoder this configuration describes, for a vocabulary of that size."""
        return EncoderConfig(
            vocab_size=vocab_size,
            width=self.encoder_width,
            layers=self.encoder_layers,
            heads=self.encoder_heads,
            intermediate=self.encoder_intermediate,
            positions=self.positions,
            max_positions=max(self.text_length, 32),
            dropout=self.encoder_dropout,
            attention_dropout=self.encoder_dropout,
        )

    def fitted(self, widths: Mapping[str, int]) -> Self:
        """The same for data whose streams are so wide: what --size chose may depend on it."""
        return self

    def misfits(self, spec: "InputSpec") -> Iterator[str]:
        """What of this configuration does not go with the data, each in a sentence."""
        yield from ()

    def folder_misfits(self, stated: Mapping[str, Any]) -> Iterator[str]:
        """What does not go with the config.json of a --bert-dir, beyond its text encoder."""
        yield from ()

    @classmethod
    def backbone_class(cls) -> "type[Backbone]":
        """The family's model, imported when it is asked for: with it comes Keras."""
        raise NotImplementedError(f"{cls.__name__}: a family names its model by backbone_class")


@dataclass(frozen=True)
class JointFamilyConfig(BackboneConfig):
    """What the configurations of one-stream encoders share: each is a JointLayout."""

    @property
    def layout(self) -> JointLayout:
        """The order of text and frames, and what is read of them."""
        raise NotImplementedError

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        yield from self.layout.problems()

    def misfits(self, spec: "InputSpec") -> Iterator[str]:
        layout = self.layout.reading(spec.has_text, spec.frame_size is not None)
        yield from layout.unreadable()
        if "sep" in layout.sequence and spec.separator is None:
            yield "the sequence has a [SEP] put in, and the vocabulary's [SEP] is not known"
        needed = layout.absolute_positions(self.text_length)
        limit = "text_lengths" if self.text_lengths else "bert_seq_length"
        if spec.encoder.positions == "absolute" and needed > spec.encoder.max_positions:
            yield (
                f"{self.said(limit)} and the separators need {needed} positions; the "
                f"encoder has {spec.encoder.max_positions}"
            )

    def encoder(self, vocab_size: int) -> EncoderConfig:
        encoder = super().encoder(vocab_size)
        needed = self.layout.absolute_positions(self.text_length)
        return replace(encoder, max_positions=max(encoder.max_positions, needed))

    @classmethod
    def backbone_class(cls) -> "type[Backbone]":
        from vidsim.models.joint import Joint

        return Joint


@dataclass(frozen=True)
class UniterConfig(JointFamilyConfig):
    """Configuration of Uniter: the text, then its frames, which have no order."""

    family: ClassVar[str] = "uniter"

    uniter_pooling: Literal["mean", "token_mean", "cls", "max"] = "mean"
    """How the encoder's positions become one vector. mean: of the words' mean and the frames' mean;
    token_mean: of all words and frames alike; cls: the first word; max: over all."""
    frame_skip: bool = False
    """Whether the mean of the frames' own embeddings goes beside that vector, past the encoder. The
    layers of an encoder that has read words only have nothing to say of frames yet."""

    @property
    def layout(self) -> JointLayout:
        return JointLayout(pooling=self.uniter_pooling, frame_skip=self.frame_skip)


@dataclass(frozen=True)
class JointConfig(JointFamilyConfig):
    """Configuration of any other one-stream encoder; see JointLayout."""

    family: ClassVar[str] = "joint"

    sequence: str = "text frames"
    """Pieces in their order: text (all of it), or cls (its [CLS]) and words (the rest); frames; sep
    (a [SEP] put in)."""
    pooling: JointPooling = "mean"
    """Where the embedding is read. mean: of the words' mean and the frames' mean; token_mean, max,
    attention: over all tokens; cls, sep: at that token."""
    frame_positions: bool = False
    """Whether frames have learned positions of their own (absolute positions only)."""
    frame_type: bool = True
    """Whether frames have a learned vector in common."""
    frame_activation: Activation = "relu"
    """Of the frames' projection."""
    frame_skip: bool = False
    """Whether the mean of the embedded frames goes beside the pooled vector."""
    match_at: MatchAt = "cls"
    """Where the match loss of pretraining reads: the text's [CLS], or the [SEP] that is put in."""

    @property
    def layout(self) -> JointLayout:
        return JointLayout(
            tuple(self.sequence.split()),
            self.pooling,
            self.frame_positions,
            self.frame_type,
            self.frame_activation,
            self.frame_skip,
            self.match_at,
        )


def build_backbone(config: BackboneConfig, spec: "InputSpec") -> "Backbone":
    """The family's model with all its weights created.

    Args:
        config: of the family.
        spec: what the data are like.

    Raises:
        VidsimError: the configuration does not go with the data.
    """
    misfits = list(config.misfits(spec))
    if misfits:
        raise VidsimError("; ".join(misfits))
    backbone = config.backbone_class()(config, spec)
    backbone.create_weights()
    return backbone


# families that have a file of their own, which needs the classes above: with this file they are
# known, to the reader of checkpoints too
from vidsim.models import albef_config as _albef_config  # noqa: E402, F401
from vidsim.models import cross_config as _cross_config  # noqa: E402, F401
from vidsim.models import mix_nextvlad_config as _mix_config  # noqa: E402, F401
from vidsim.models import tangled_config as _tangled_config  # noqa: E402, F401
