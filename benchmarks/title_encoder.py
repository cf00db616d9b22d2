"""A published sentence encoder as a vidsim backbone: titles only, the mean of their words."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from vidsim import schema
from vidsim.embedder import Embedder
from vidsim.layers.pooling import masked_mean
from vidsim.models.backbone import Backbone
from vidsim.models.configs import BackboneConfig, build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.models.text_encoder import TextEncoder
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.pretrained.encoder_folder import EncoderFolder
from vidsim.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class TitleConfig(BackboneConfig):
    """Configuration of TitleEncoder."""

    family: ClassVar[str] = "title"

    @classmethod
    def backbone_class(cls):
        return TitleEncoder


class TitleEncoder(Backbone):
    """Words in, EMBEDDING (B, width) out; frames are not looked at."""

    def __init__(self, config, spec):
        super().__init__(config, spec)
        self.text_encoder = TextEncoder(spec.encoder, name="text_encoder")

    def call(self, inputs, training=None):
        mask = inputs[schema.TOKEN_MASK]
        hidden = self.text_encoder(inputs[schema.TOKEN_IDS], mask, training=training)
        return {schema.EMBEDDING: masked_mean(hidden, mask)}


def title_embedder(bert_dir: Path, length: int) -> Embedder:
    """The encoder of a folder behind `Embedder.encode(titles)`."""
    folder = EncoderFolder(bert_dir)
    width = folder.encoder_config(TitleConfig()).width
    config = TitleConfig(bert_seq_length=length, hidden_size=width, modalities="title")
    spec = InputSpec(folder.encoder_config(config), widths={schema.FRAMES: schema.FRAME_SIZE})
    backbone = build_backbone(config, spec)
    folder.load_into(backbone)
    return Embedder(Checkpoint(backbone, folder.tokenizer(), TagVocabulary(np.arange(1)), {}))
