"""Videos made ready once, texts tokenized and labels looked up; assembled into batches by row."""

from functools import cached_property

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.preprocess.cuts import Cuts, Left, frames_left
from vidsim.preprocess.frames import sample_frames
from vidsim.preprocess.input_shape import InputShape, InputTensors
from vidsim.preprocess.ragged import Ragged
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.preprocess.tensors import LABELS, STREAMS
from vidsim.preprocess.text_sequence import FieldTexts, text_sequences
from vidsim.preprocess.title_tokenizer import TitleTokenizer
from vidsim.records.frame_reader import FrameReader
from vidsim.records.video_table import VideoTable


class Examples:
    """The videos of a table as a model's inputs. Vectors stay on disk until a batch needs them.

    Args:
        table: the videos.
        tokenizer: of the model that will read them.
        tags: the model's tag vocabulary; None: no TAGS are made.
        shape: text fields, lengths, the sampling rule, and which of texts and frames are shown.
        tensors: what is made of a video; None: token ids, frames, tags, and their masks.

    Attributes:
        names: of the tensors of a batch.

    Raises:
        VidsimError: the data have vectors of another width than the model, or none where no width
            is given; or boxes for another number of regions than there are.
    """

    def __init__(
        self,
        table: VideoTable,
        tokenizer: TitleTokenizer,
        tags: TagVocabulary | None,
        shape: InputShape,
        tensors: InputTensors | None = None,
    ):
        self.table, self.tokenizer, self.shape = table, tokenizer, shape
        self._tensors = tensors or InputTensors()
        tags = tags or None  # a list without tags is none
        self.num_labels = 0 if tags is None else len(tags)
        self.names = self._made(tags)
        sequences = text_sequences(tokenizer, _texts(table, shape))
        self._tokens, self._types, self._cut_texts = (
            sequences.tokens,
            sequences.types,
            sequences.cuts,
        )
        self._assembly = sequences.assembly
        self._labels = self._looked_up(tags)
        self._readers = self._opened()
        self._counts = self._counted()

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def cuts(self) -> Cuts:
        """What is left out of the videos: ends of texts, unknown words, frames, unlisted tags."""
        most, left = self.shape.max_frames, [self._unknown_tokens()]
        for mask, counts in self._counts.items():
            what = {schema.FRAME_MASK: "frames", schema.ACTION_MASK: "actions"}.get(mask, "regions")
            left.append(frames_left(counts.tolist(), most, what))
        known = self._labels.get(schema.TAGS)
        if isinstance(known, Ragged):
            total = len(self.table.numbers(schema.TAG_ID).values)
            unlisted = total - len(known.values)
            left.append(Left(unlisted, total, "tags", "not in the tag list"))
        return Cuts(self._cut_texts, tuple(left), self._assembly)

    def _unknown_tokens(self) -> Left:
        """Those that the vocabulary lacks, as where it was made of other texts."""
        values, special = self._tokens.values, self.tokenizer.special
        total = int(np.isin(values, [special.cls, special.sep], invert=True).sum())
        unknown = int((values == special.unk).sum())
        return Left(unknown, total, "tokens", "not in the vocabulary")

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """(B, 2) how many tokens and frames each video takes up in a batch."""
        counts = self._counts.get(schema.FRAME_MASK)
        frames = np.zeros(len(rows), np.int64) if counts is None else counts[rows]
        frames = np.minimum(frames, self.shape.max_frames)
        return np.stack([self._tokens.lengths(rows), frames], axis=1)

    def last_size(self, name: str) -> int | None:
        """The size of a tensor's last dimension where it is the same in all batches."""
        if name in self._readers:
            return self._readers[name].width
        if name == schema.TAGS:
            return self.num_labels
        actions = self._tensors.actions
        return len(actions) if name == schema.ACTION_LABELS and actions is not None else None

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """One batch, padded no further than its own longest text and streams.

        Args:
            rows: (B,) row numbers of the table.

        Returns:
            The tensors of `names`, as vidsim.schema describes them.
        """
        token_ids, token_mask = self._tokens.pad(rows, self.tokenizer.special.pad)
        made = {schema.TOKEN_IDS: token_ids, schema.TOKEN_MASK: token_mask}
        if self._types is not None:
            made[schema.TOKEN_TYPES], _ = self._types.pad(rows)
        for mask_name, counts in self._counts.items():
            shape = self.shape
            index, mask = sample_frames(counts[rows], shape.max_frames, shape.frame_sampling)
            made[mask_name] = mask
            for name, reader in self._readers.items():
                if STREAMS[name].mask == mask_name:
                    made[name] = reader.read(rows, index, mask)
        for name, labels in self._labels.items():
            if isinstance(labels, Ragged):
                made[name] = labels.multi_hot(rows, self.last_size(name) or 0)
            else:
                made[name] = labels[rows]
        return {name: made[name] for name in self.names}

    def _made(self, tags: TagVocabulary | None) -> tuple[str, ...]:
        """The names asked for, less TAGS where there is no tag list; TOKEN_TYPES of many fields."""
        names = list(self._tensors.names)
        if tags is None and schema.TAGS in names:
            names.remove(schema.TAGS)
        if len(self.shape.texts) > 1 and schema.TOKEN_TYPES not in names:
            names.insert(names.index(schema.TOKEN_MASK) + 1, schema.TOKEN_TYPES)
        missing = {
            schema.CATEGORY: self._tensors.categories is None,
            schema.ACTION_LABELS: self._tensors.actions is None,
        }
        for name in names:
            if missing.get(name):
                raise ValueError(f"{name} needs the vocabulary of its classes")
        return tuple(names)

    def _looked_up(self, tags: TagVocabulary | None) -> dict[str, Ragged | np.ndarray]:
        """The labels asked for: columns of multi-hot vectors, or class numbers."""
        found: dict[str, Ragged | np.ndarray] = {}
        for name, vocabulary in (
            (schema.TAGS, tags),
            (schema.ACTION_LABELS, self._tensors.actions),
        ):
            if name in self.names and vocabulary is not None:
                column = self.table.numbers(LABELS[name])
                found[name] = vocabulary.columns(column.values, column.splits)
        if schema.CATEGORY in self.names and self._tensors.categories is not None:
            column = self.table.number(LABELS[schema.CATEGORY])
            found[schema.CATEGORY] = self._tensors.categories.classes(column)
        return found

    def _opened(self) -> dict[str, FrameReader]:
        wanted = [name for name in STREAMS if name in self.names]
        widths = self._tensors.widths
        return {
            name: FrameReader(self.table, STREAMS[name].field, widths.get(name)) for name in wanted
        }

    def _counted(self) -> dict[str, np.ndarray]:
        """(N,) vectors of each video, by the name of their mask; none where frames are hidden."""
        counts: dict[str, np.ndarray] = {}
        for name, reader in self._readers.items():
            count, mask = self.table.stream(reader.field).count, STREAMS[name].mask
            if (counts.setdefault(mask, count) != count).any():
                row = int((counts[mask] != count).argmax())
                raise VidsimError(
                    f"{self.table.places.error(row, '')}{count[row]} vectors of {reader.field} for "
                    f"{counts[mask][row]} regions"
                )
        shown = self.shape.modalities != "title"
        return {mask: count * shown for mask, count in counts.items()}


def _texts(table: VideoTable, shape: InputShape) -> list[FieldTexts]:
    """The text fields that a model reads, hidden where it is shown frames alone."""
    hidden = [""] * len(table) if shape.modalities == "frames" else None
    return [FieldTexts(name, hidden or table.text(name), length) for name, length in shape.texts]
