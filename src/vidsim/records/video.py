"""One video in memory, as it is written to a TFRecord file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidsim import schema
from vidsim.records.fields import FIELDS


@dataclass(frozen=True, eq=False)
class Video:
    """The content of one video record: an id, and what else is known. None: not in the record.

    Attributes:
        id: a decimal string of up to 19 digits in the challenge; any text without NUL will do.
        title: may be empty.
        frames: (n, d) float16, n may be 0; d is the same in all videos of a data set.
        tags: human tags; the challenge's test sets have no such field.
        category: five digits in the challenge, of which three are the first level.
        asr_text: speech transcript, in the challenge often the literal "nan".
        more: values of other fields by name, as the kind of each accepts them (`FIELDS`).
        frame_times: (n,) seconds at which the frames were taken, where they are known. They are in
            the record for whoever looks at it; no reader of vidsim takes them.
    """

    id: str
    title: str | None = None
    frames: np.ndarray | None = None
    tags: tuple[int, ...] | None = None
    category: int | None = None
    asr_text: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    frame_times: np.ndarray | None = None

    def content(self) -> dict[str, Any]:
        """The values of the fields that the record has, in the order in which they are written.

        Raises:
            ValueError: `more` names something that is no field.
        """
        unknown = self.more.keys() - FIELDS.keys()
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: fields are {', '.join(FIELDS)}")
        values = {
            schema.TITLE: self.title,
            schema.FRAME_FEATURE: self.frames,
            schema.TAG_ID: self.tags,
            schema.CATEGORY_ID: self.category,
            schema.ASR_TEXT: self.asr_text,
            **self.more,
        }
        return {name: values[name] for name in FIELDS if values.get(name) is not None}
