"""The shape of ALBEF, as data: read without Keras."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from vidsim.config_fields import Range, Rate
from vidsim.models.configs import BackboneConfig

if TYPE_CHECKING:
    from vidsim.models.backbone import Backbone
    from vidsim.models.input_spec import InputSpec

_Layers = Annotated[int, Range(0, 1000)]


@dataclass(frozen=True)
class AlbefConfig(BackboneConfig):
    """Configuration of ALBEF. Its defaults are the published sizes."""

    family: ClassVar[str] = "albef"

    fusion_layers: Annotated[int, Range(1, 1000)] = 6
    """Layers of words that attend to the frames too."""
    fusion_from: Literal["split", "after"] = "split"
    """split: the last layers of the text encoder are those of fusion, as published; after: all its
    layers read words alone, and those of fusion come after them. A pretrained sentence encoder says
    what a sentence means in its last layer only."""
    frame_layers: _Layers = 12
    """Layers of the frame encoder, of the text encoder's width."""
    frame_skip: bool = False
    """Whether the mean of the frames as they are goes beside the frame encoder's [CLS] into the
    video's vector. A frame encoder that starts at random has nothing to say of frames yet."""
    text_pooling: Literal["cls", "mean"] = "cls"
    """How a sentence becomes one vector: its first token, as published, or the mean of all."""
    projection: Literal["linear", "mlp"] = "linear"
    """What makes the embeddings that are compared: one layer, as published, or two."""
    projection_hidden: Annotated[int, Range(1, 2**16)] = 2048
    """Numbers between the two layers of projection mlp."""
    projection_dropout: Rate = 0.5
    """Dropout between the two layers of projection mlp."""
    text_input_dropout: Rate | None = None
    """Dropout of a sentence's vector before projection mlp. Default: half of
    --projection-dropout."""
    frame_input_dropout: Rate | None = None
    """The same of a video's vector."""

    def misfits(self, spec: "InputSpec") -> Iterator[str]:
        yield from super().misfits(spec)
        layers, both = spec.encoder.layers, spec.has_text and spec.frame_size is not None
        if both and self.fusion_from == "split" and self.fusion_layers >= layers:
            yield (
                f"{self.said('fusion_layers')} leaves no layer for the text alone: the text "
                f"encoder has {layers}; give less, or --fusion-from after"
            )

    @classmethod
    def backbone_class(cls) -> "type[Backbone]":
        from vidsim.models.albef import Albef

        return Albef
