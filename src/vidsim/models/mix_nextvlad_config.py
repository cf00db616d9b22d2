"""The configuration of MixNeXtVLAD's family, read without Keras."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from vidsim import schema
from vidsim.config_fields import Layers, Range, override
from vidsim.models.configs import BackboneConfig

if TYPE_CHECKING:
    from vidsim.models.backbone import Backbone
    from vidsim.models.input_spec import InputSpec

_Width = Annotated[int, Range(1, 2**16)]
_MEASURED = 1536
"""Numbers in the frames for which the sizes' expansions were chosen."""


@dataclass(frozen=True)
class MixNeXtVLADConfig(BackboneConfig):
    """Configuration of MixNeXtVLAD."""

    family: ClassVar[str] = "mix_nextvlad"

    frame_norm: bool = True
    """LayerNorm of every frame first. NeXtVLAD's centres start at a fixed scale, and frames much
    smaller than they are would all look alike; the published features happened to fit."""
    branches: Layers = 3
    """Independent NeXtVLAD branches."""
    vlad_cluster_size: _Width = 64
    """Clusters of each NeXtVLAD."""
    vlad_groups: _Width = 8
    """Groups that each frame is split into."""
    vlad_expansion: Annotated[float, Range(0, 64, above=True)] = 2.0
    """Each frame is widened by this factor before it is split into groups."""
    vlad_hidden_size: _Width = 1024
    """Size of a branch's vision vector and of the text vector beside it."""
    vlad_batch_norm: bool = True
    """Batch normalisation of the cluster assignment."""
    se_ratio: _Width = 8
    """Reduction of the squeeze-and-excitation gate."""
    fusion_norm: bool = True
    """LayerNorm of vision and text vector before they are fused, so that both count from the
    start."""
    text_pooling: Literal["cls", "max", "mean"] = "cls"
    """cls: tanh layer on the first token (BERT's pooler); max, mean: over the real tokens. Only a
    pretrained encoder has anything to say in its first token before long training."""

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        if self.hidden_size % self.se_ratio:
            yield f"{self.said('se_ratio')} does not divide {self.said('hidden_size')}"

    def fitted(self, widths: Mapping[str, int]) -> Self:
        """A size's expansion is that of frames of 1536 numbers: all are widened to as many."""
        width = widths.get(schema.FRAMES)
        if width is None or self.origin("vlad_expansion") != "size":
            return self
        expansion = min(self.vlad_expansion * _MEASURED / width, 64.0)
        return override(self, {"vlad_expansion": expansion}, "size")

    def misfits(self, spec: "InputSpec") -> Iterator[str]:
        if spec.frame_size is None:
            return
        wide = round(self.vlad_expansion * spec.frame_size)
        if wide < 1 or wide % self.vlad_groups:
            yield (
                f"{self.said('vlad_groups')} does not divide the {wide} numbers to which "
                f"{self.said('vlad_expansion')} widens a frame of {spec.frame_size}"
            )

    @classmethod
    def backbone_class(cls) -> "type[Backbone]":
        from vidsim.models.mix_nextvlad import MixNeXtVLAD

        return MixNeXtVLAD
