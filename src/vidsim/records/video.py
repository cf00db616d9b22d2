"""One video in memory, as it is written to a TFRecord file."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Video:
    """The content of one video record.

    Attributes:
        id: a decimal string of up to 19 digits in the challenge; any text without NUL will do.
        title: may be empty.
        frames: (n, 1536) float16, n may be 0.
        tags: human tags; None where the record has no such field, as in the test sets.
        category: five digits, of which three are the first level; None as above.
        asr_text: speech transcript, often the literal "nan".
    """

    id: str
    title: str
    frames: np.ndarray
    tags: tuple[int, ...] | None = None
    category: int | None = None
    asr_text: str = "nan"
