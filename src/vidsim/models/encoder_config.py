"""The shape of a text encoder, as data: what a recipe says, or what a pretrained folder brings."""

from dataclasses import dataclass
from typing import Literal

Positions = Literal["absolute", "rotary"]


@dataclass(frozen=True)
class EncoderConfig:
    """Architecture of one text encoder. Sizes are numbers of features, layers or tokens."""

    vocab_size: int
    width: int = 768
    layers: int = 12
    heads: int = 12
    intermediate: int = 3072
    positions: Positions = "absolute"
    """absolute: learned, added to the words (BERT); rotary: rotations in attention (RoFormer)."""
    max_positions: int = 512
    type_vocab_size: int = 2
    embedding_size: int | None = None
    """Width of the word embeddings where it is not the encoder's own (RoFormer allows that)."""
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    layer_norm_eps: float = 1e-12
    rotary_value: bool = False
