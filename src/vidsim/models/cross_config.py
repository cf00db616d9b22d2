"""The configuration of LXMERT's family, read without Keras."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from vidsim.config_fields import Layers, Range
from vidsim.models.configs import BackboneConfig

if TYPE_CHECKING:
    from vidsim.models.backbone import Backbone


@dataclass(frozen=True)
class CrossConfig(BackboneConfig):
    """Configuration of Cross: text and frames apart, then layers in which they read each other."""

    family: ClassVar[str] = "cross"

    cross_layers: Layers = 5
    """Layers in which text and frames attend to each other, after the text encoder's own."""
    relational_layers: Annotated[int, Range(0, 1024)] = 0
    """Layers over the frames alone, before those."""
    visual_embedding: Literal["linear", "normed", "boxed"] = "linear"
    """How a frame enters. linear: one projection, as the WBDC 2022 system has it; normed: and a
    LayerNorm; boxed: the mean of that and of the same of a box, which is the whole picture, as
    LXMERT has it."""
    shared_cross_attention: bool = True
    """Whether text reads frames and frames read text by the same weights."""
    cross_pooling: Literal["cls", "mean"] = "cls"
    """What the pooler reads. cls: the text's first token; mean: half the words' mean and half the
    frames', for an encoder whose first token says nothing of its text."""

    def folder_misfits(self, stated: Mapping[str, Any]) -> Iterator[str]:
        found = {"x_layers": "cross_layers"}
        if self.relational_layers:
            found["r_layers"] = "relational_layers"
        for theirs, ours in found.items():
            if theirs in stated and stated[theirs] != getattr(self, ours):
                yield f"{self.said(ours)}: it has {theirs} {stated[theirs]!r:.200}"
        if "x_layers" in stated and not self.shared_cross_attention:
            yield f"{self.said('shared_cross_attention')}: it has one for both directions"

    @classmethod
    def backbone_class(cls) -> "type[Backbone]":
        from vidsim.models.cross import Cross

        return Cross
