"""The configuration of ActBERT's family, read without Keras."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from vidsim import schema
from vidsim.config_fields import Count, Layers, Range
from vidsim.models.configs import BackboneConfig

if TYPE_CHECKING:
    from vidsim.models.backbone import Backbone
    from vidsim.models.input_spec import InputSpec

_Width = Annotated[int, Range(1, 2**16)]


@dataclass(frozen=True)
class TangledConfig(BackboneConfig):
    """Configuration of Tangled: streams of words, regions and actions, and tangled layers.

    The stream of actions is as wide as the text encoder.
    """

    family: ClassVar[str] = "tangled"

    region_layers: Layers = 2
    """Layers of the stream of regions."""
    region_width: _Width = 1024
    """Hidden size of the stream of regions."""
    region_heads: _Width = 8
    """Attention heads of the stream of regions."""
    region_intermediate: Count = 1024
    """Feed-forward size of the stream of regions."""
    action_layers: Layers = 3
    """Layers of the stream of actions."""
    action_heads: _Width = 12
    """Attention heads of the stream of actions."""
    action_intermediate: Count = 3072
    """Feed-forward size of the stream of actions."""
    tangled_layers: Layers = 2
    """Layers in which the streams meet: one before each of the last layers of the text encoder, of
    the first of the regions and of the first of the actions."""
    tangled_width: _Width = 1024
    """Size of queries, keys and values there, and of each stream's vector."""
    tangled_heads: _Width = 8
    """Attention heads there."""
    action_spans: Annotated[int, Range(1, 1024)] = 5
    """Where the data have no actions: equal spans of time, whose frames' mean is an action."""
    published_quirks: bool = False
    """The public code's form: padded actions count, and one projection makes the values that
    regions and words get. Then padding changes the numbers."""

    def contradictions(self) -> Iterator[str]:
        yield from super().contradictions()
        for heads, width in (
            ("region_heads", "region_width"),
            ("action_heads", "encoder_width"),
            ("tangled_heads", "tangled_width"),
        ):
            if getattr(self, width) % getattr(self, heads):
                yield f"{self.said(heads)} does not divide {self.said(width)}"
        for layers in ("region_layers", "action_layers"):
            if getattr(self, layers) < self.tangled_layers:
                yield f"{self.said('tangled_layers')} is above {self.said(layers)}"

    def misfits(self, spec: "InputSpec") -> Iterator[str]:
        layers, width = spec.encoder.layers, spec.encoder.width
        if layers < self.tangled_layers:
            yield f"{self.said('tangled_layers')}: the text encoder has {layers} layers"
        if width % self.action_heads:
            yield f"{self.said('action_heads')} does not divide the text encoder's width, {width}"
        if not spec.has_text:
            yield f"the family {self.family} reads words, and there are none"
        seen = spec.widths.keys()
        if not seen & {schema.FRAMES, schema.REGIONS}:
            yield f"the family {self.family} reads frames or regions, and there are none"
        elif not seen & {schema.FRAMES, schema.ACTIONS}:
            yield f"the family {self.family} needs actions, or frames to make them of"

    @classmethod
    def backbone_class(cls) -> "type[Backbone]":
        from vidsim.models.tangled import Tangled

        return Tangled
