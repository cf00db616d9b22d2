"""What a model is shown of a video. Knows no model: a model's configuration fits `InputShape`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from vidsim import schema
from vidsim.preprocess.category_vocabulary import CategoryVocabulary
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.tensors import LEARNED, STREAMS
from vidsim.records.video_table import VideoTable


class InputShape(Protocol):
    """How much of a video a model reads."""

    @property
    def texts(self) -> tuple[tuple[str, int], ...]:
        """Text fields in the order of the sequence, each with its most tokens.

        [SEP] counts in each field, [CLS] in the first.
        """
        ...

    @property
    def modalities(self) -> str:
        """both, title (texts alone) or frames (streams alone)."""
        ...

    @property
    def max_frames(self) -> int:
        """Most vectors of a stream."""
        ...

    @property
    def frame_sampling(self) -> str:
        """The rule of `sample_frames`."""
        ...


TENSORS = (schema.TOKEN_IDS, schema.TOKEN_MASK, schema.FRAMES, schema.FRAME_MASK, schema.TAGS)
"""What is made of a video where nothing else is asked for."""


@dataclass(frozen=True)
class InputTensors:
    """The tensors that a model reads, and what their sizes depend on beside the videos.

    Attributes:
        names: of the tensors, of vidsim.schema.
        widths: numbers in a vector of a stream, by tensor, as the model has it; a stream without a
            width takes that of the data.
        categories: the classes of CATEGORY.
        actions: the columns of ACTION_LABELS.
    """

    names: tuple[str, ...] = TENSORS
    widths: Mapping[str, int] = field(default_factory=dict)
    categories: CategoryVocabulary | None = None
    actions: TagVocabulary | None = None

    @classmethod
    def of(cls, widths: Mapping[str, int]) -> "InputTensors":
        """What a model reads that is built for streams of these widths: texts, streams, tags."""
        read = [name for name in widths if name not in LEARNED]
        streams = (item for name in read for item in (name, STREAMS[name].mask))
        texts = (schema.TOKEN_IDS, schema.TOKEN_MASK)
        return cls(tuple(dict.fromkeys((*texts, *streams, schema.TAGS))), widths)

    def learned_from(self, table: VideoTable, actions: TagVocabulary) -> "InputTensors":
        """And what a model with these widths learns in pretraining, where the videos have it.

        Args:
            table: the videos.
            actions: the classes of their actions.
        """
        fields = {
            schema.REGION_CLASSES: schema.REGION_CLASS,
            schema.ACTION_LABELS: schema.ACTION_LABEL,
        }
        more = [name for name, of in fields.items() if name in self.widths and table.has(of)]
        return replace(self, names=(*self.names, *more), actions=actions)
