"""A published sentence encoder as a vidsim backbone: titles only, the mean of their words."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from vidsim import schema
from vidsim.embedder import Embedder
from vidsim.layers.pooling import masked_mean
from vidsim.models.backbone import Backbone
from vidsim.models.configs import BackboneConfig
from vidsim.models.text_encoder import TextEncoder
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.pretrained.encoder_folder import EncoderFolder
from vidsim.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class TitleConfig(BackboneConfig):
    """Configuration of TitleEncoder."""

    family: ClassVar[str] = "title"


class TitleEncoder(Backbone):
    """Words in, EMBEDDING (B, width) out; frames are not looked at."""

    def __init__(self, config, encoder, num_labels):
        super().__init__(config, encoder, num_labels)
        self.text_encoder = TextEncoder(encoder, name="text_encoder")

    def call(self, inputs, training=None):
        mask = inputs[schema.TOKEN_MASK]
        hidden = self.text_encoder(inputs[schema.TOKEN_IDS], mask, training=training)
        return {schema.EMBEDDING: masked_mean(hidden, mask)}


def title_embedder(bert_dir: Path, length: int) -> Embedder:
    """The encoder of a folder behind `Embedder.encode(titles)`."""
    folder = EncoderFolder(bert_dir)
    width = folder.encoder_config(TitleConfig()).width
    config = TitleConfig(bert_seq_length=length, hidden_size=width, modalities="title")
    backbone = TitleEncoder(config, folder.encoder_config(config), 1)
    tokens = {
        schema.TOKEN_IDS: np.ones((1, 2), "int32"),
        schema.TOKEN_MASK: np.ones((1, 2), bool),
    }
    backbone(tokens)  # makes the weights
    folder.load_into(backbone)
    return Embedder(Checkpoint(backbone, folder.tokenizer(), TagVocabulary(np.arange(1)), {}))
