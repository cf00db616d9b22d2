"""What of the data's streams a family of models has a use for."""

from collections.abc import Mapping
from typing import ClassVar

from vidsim import schema


class StreamReading:
    """The part of a family's configuration that is about streams; a family may override all of it.

    Attributes:
        streams: those that the family has a use for, where the data have them.
    """

    streams: ClassVar[tuple[str, ...]] = (schema.FRAMES,)

    def reads(self, widths: Mapping[str, int]) -> dict[str, int]:
        """Of the widths of the data's streams those that the family has a use for."""
        return {name: width for name, width in widths.items() if name in self.streams}

    def about_data(self, widths: Mapping[str, int]) -> str:
        """What stands for streams that the data do not have; "" where nothing does.

        Args:
            widths: of `InputSpec`.
        """
        return ""
