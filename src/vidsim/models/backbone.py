"""What every family shares: one configuration file, one set of inputs and outputs."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import keras
import numpy as np

from vidsim import schema
from vidsim.models.encoder_config import EncoderConfig, Positions


@dataclass(frozen=True)
class BackboneConfig:
    """The fields that every family's configuration has. A family adds its own."""

    family: ClassVar[str] = ""

    modalities: Literal["both", "title", "frames"] = "both"
    """What the model is shown of a video. title and frames tell what each side is worth alone."""
    positions: Positions = "absolute"
    """Text encoder: absolute (BERT) or rotary (RoFormer) positions."""
    encoder_layers: int = 12
    """Layers of the text encoder (a --bert-dir brings its own)."""
    encoder_width: int = 768
    """Hidden size of the text encoder."""
    encoder_heads: int = 12
    """Attention heads of the text encoder."""
    encoder_intermediate: int = 3072
    """Feed-forward size of the text encoder."""
    encoder_dropout: float = 0.1
    """Dropout inside the text encoder."""
    vocab_size: int = 21128
    """At most this many wordpieces when a vocabulary is trained."""
    bert_seq_length: int = 32
    """Longest title in tokens, [CLS] and [SEP] included."""
    max_frames: int = 32
    """Most frames taken from one video."""
    frame_sampling: Literal["uniform", "published"] = "uniform"
    """uniform: evenly over the whole video; published: the published rule, which drops the tail."""
    feature_dropout: float = 0.0
    """Dropout of the frames' numbers before the model's first layer: the same ones in all frames of
    a video, for what is missing in one frame only comes back with the next."""
    hidden_size: int = 256
    """Size of the embedding; the challenge accepts no more than 256."""
    dropout: float = 0.2
    """Dropout before the embedding."""

    def encoder(self, vocab_size: int) -> EncoderConfig:
        """The text encoder this configuration describes, for a vocabulary of that size."""
        return EncoderConfig(
            vocab_size=vocab_size,
            width=self.encoder_width,
            layers=self.encoder_layers,
            heads=self.encoder_heads,
            intermediate=self.encoder_intermediate,
            positions=self.positions,
            max_positions=max(self.bert_seq_length, 32),
            dropout=self.encoder_dropout,
            attention_dropout=self.encoder_dropout,
        )


class Backbone(keras.Model):
    """A video to an embedding and tag logits. Knows no task.

    Subclasses take (config, encoder: EncoderConfig, num_labels) and return from ``call`` a dict
    with at least EMBEDDING (B, hidden_size) and TAG_LOGITS (B, num_labels), keys of vidsim.schema.

    Inputs, a dict:
        token_ids (B, L) int32, token_mask (B, L) bool,
        frames (B, T, 1536) float16, frame_mask (B, T) bool
    L and T may differ from batch to batch; padding changes no output.
    """

    def __init__(self, config: BackboneConfig, encoder: EncoderConfig, num_labels: int, **kwargs):
        super().__init__(name=config.family, **kwargs)
        self.config = config
        self.encoder_config = encoder
        self.num_labels = num_labels

    def create_weights(self) -> None:
        """Creates every weight by one forward pass over a made batch of two videos."""
        outputs = self(
            {
                schema.TOKEN_IDS: np.zeros((2, 3), "int32"),
                schema.TOKEN_MASK: np.ones((2, 3), bool),
                schema.FRAMES: np.zeros((2, 2, schema.FRAME_SIZE), "float16"),
                schema.FRAME_MASK: np.ones((2, 2), bool),
            }
        )
        self.output_keys = tuple(outputs)

    def encoder_was_loaded(self) -> None:
        """Called when the text encoder has got pretrained weights; a family may follow them."""
