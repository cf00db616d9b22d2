"""The published ALBEF: its names for the weights of the family albef, and its file."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vidsim.models.albef import Albef
from vidsim.models.transformer_stack import PUBLISHED, layer_weights, weight_and_bias
from vidsim.pretrained.torch_file import read_torch_file
from vidsim.pretrained.weight_names import LoadReport, plan_load

ALBEF_FILE = "ALBEF.pth"
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
_MOMENTUM = ("visual_encoder_m.", "vision_proj_m.", "text_encoder_m.", "text_proj_m.")


def published_names(backbone: Albef) -> dict[str, Any]:
    """The variables of words, fusion and linear projections by their published names.

    Those of the text encoder are without its prefix, "text_encoder.bert." in a pretrained file. The
    frame encoder is no vision transformer, and has no weights there.
    """
    text, found = backbone.text_encoder, {}
    if text is not None:
        found = text.published_weights()
        for place, layer in enumerate(backbone.fusion):
            found |= layer_weights(f"encoder.layer.{text.config.layers + place}", layer, _FUSION)
        found |= weight_and_bias("text_proj", backbone.text_project.project)
    if backbone.frame_encoder is not None:
        found |= weight_and_bias("vision_proj", backbone.video_project.project)
    return found


def load_albef(backbone: Albef, path: Path, heads: Mapping[str, Any] | None = None) -> LoadReport:
    """Loads text encoder, fusion and projections of a published checkpoint, strictly.

    Left out are its vision transformer (of pictures; here features of frames come from an
    extractor, such as vit, and a frame encoder that starts at random reads them), the momentum
    twins, whose part the model's own weights take at the start, and queues, temperature and match
    head, which belong to a training.

    Args:
        backbone: with --fusion-from split, linear projections and the file's sizes.
        path: ALBEF.pth or the like: a dict of tensors, perhaps under "model".
        heads: further variables to fill, by their published names ("cls.predictions.bias").

    Raises:
        VidsimError: the file is damaged; or a table of tensors that are missing, unknown or of
            another shape.
    """
    stored = read_torch_file(path)
    momentum = tuple(sorted(name for name in stored if name.startswith(_MOMENTUM)))
    own = {name: value for name, value in stored.items() if name not in momentum}
    wanted = published_names(backbone) | dict(heads or {})
    report, values = plan_load(own, wanted, str(path))
    for variable, value in values:
        variable.assign(value)
    backbone.encoder_was_loaded()
    return LoadReport(report.path, report.loaded, (*report.left_out, *momentum), report.absent)
