"""The names that the published ALBEF gives to the weights of the family albef."""

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vidsim.models.transformer_stack import PUBLISHED, published_layer, weight_and_bias

if TYPE_CHECKING:
    from vidsim.models.albef import Albef

_FUSION = MappingProxyType(
    {
        **PUBLISHED,
        "cross_attention.query_dense": "crossattention.self.query",
        "cross_attention.key_dense": "crossattention.self.key",
        "cross_attention.value_dense": "crossattention.self.value",
        "cross_attention.output_dense": "crossattention.output.dense",
        "cross_norm": "crossattention.output.LayerNorm",
    }
)


def published_names(backbone: "Albef") -> dict[str, Any]:
    """The variables of words, fusion and linear projections by their published names.

    Those of the text encoder are without its prefix, "text_encoder.bert." in a pretrained file. The
    frame encoder is no vision transformer, and has no weights there.
    """
    text = backbone.text_encoder
    assert text is not None
    found = text.published_weights()
    first = text.config.layers
    for place, layer in enumerate(backbone.fusion):
        found |= published_layer(first + place, layer, _FUSION)
    found |= weight_and_bias("text_proj", backbone.text_project.project)
    return found | weight_and_bias("vision_proj", backbone.video_project.project)
