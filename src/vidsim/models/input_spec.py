"""What the data are like, as far as a model's weights depend on it. Found, not chosen: no flags."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.models.encoder_config import EncoderConfig

_WIDEST = 2**20  # numbers in one vector; no model comes near


@dataclass(frozen=True)
class InputSpec:
    """The inputs that a model is built for. It is kept in the model's checkpoint.

    Raises:
        VidsimError: a number that cannot be, or nothing that a model could read.
    """

    encoder: EncoderConfig
    """The text encoder's shape, by the recipe and its vocabulary or by --bert-dir."""
    num_labels: int = 0
    """Tags; 0: there are none, and the model has no classifier and no TAG_LOGITS."""
    widths: Mapping[str, int] = field(default_factory=dict)
    """Numbers in one vector of each stream that the model reads, by the tensor's name."""
    text_fields: tuple[str, ...] = (schema.TITLE,)
    """The texts in token_ids, in their order; (): the model reads no text."""
    num_classes: int = 0
    """Classes, of which a video has one; 0: there are none."""
    separator: int | None = None
    """The token id of [SEP], for families that put some in; None: it is not known."""

    def __post_init__(self) -> None:
        for name in ("num_labels", "num_classes"):
            _check(name, getattr(self, name), 0)
        if self.separator is not None:
            _check("separator", self.separator, 0)
        for name, width in dict(self.widths).items():
            _check(f"the width of {name}", width, 1)
        if not all(isinstance(name, str) for name in self.text_fields):
            raise VidsimError(f"text_fields is {self.text_fields!r:.200}; accepted are names")
        if not self.widths and not self.text_fields:
            raise VidsimError("a model needs texts or vectors; text_fields and widths are empty")

    @property
    def frame_size(self) -> int | None:
        """Numbers in one frame's vector; None: the model reads no frames."""
        return self.widths.get(schema.FRAMES)

    @property
    def has_text(self) -> bool:
        """Whether the model reads texts."""
        return bool(self.text_fields)


def _check(name: str, number: object, least: int) -> None:
    if type(number) is not int or not least <= number <= _WIDEST:
        raise VidsimError(
            f"{name} is {number!r:.200}; accepted are whole numbers from {least} to {_WIDEST}"
        )
