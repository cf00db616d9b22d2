"""The families by name. A new family is one file and one line here."""

from vidsim.models.backbone import Backbone, BackboneConfig
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.mix_nextvlad import MixNeXtVLAD, MixNeXtVLADConfig
from vidsim.models.uniter import Uniter, UniterConfig

FAMILIES: dict[str, tuple[type[BackboneConfig], type[Backbone]]] = {
    "mix_nextvlad": (MixNeXtVLADConfig, MixNeXtVLAD),
    "uniter": (UniterConfig, Uniter),
}


def build_backbone(config: BackboneConfig, encoder: EncoderConfig, num_labels: int) -> Backbone:
    """The family's model with all its weights created."""
    backbone = FAMILIES[config.family][1](config, encoder, num_labels)
    backbone.create_weights()
    return backbone
