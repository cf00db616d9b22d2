"""Embeddings and nothing else: a checkpoint, titles and frames in, numpy out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from vidsim import schema
from vidsim.blending.blend import l2_normalize
from vidsim.embedder_inputs import (
    checked_batch_size,
    checked_inputs,
    checked_texts,
    tracked,
)
from vidsim.errors import VidsimError
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.preprocess.frames import sample_frames
from vidsim.preprocess.text_sequence import FieldTexts, TextSequences, text_sequences
from vidsim.training.checkpoint import Checkpoint, load_checkpoint
from vidsim.training.checkpoint_keeper import find_checkpoint

if TYPE_CHECKING:
    from vidsim.text_embedder import TextEmbedder


class Embedder:
    """A trained model as a function from videos to vectors.

    Args:
        checkpoint: model, tokenizer and tag vocabulary.

    Example:
        embedder = Embedder.from_checkpoint("save/finetune/uniter/fold0")
        embeddings = embedder.encode(titles=["a cat plays"], frames=[np.zeros((8, 1536))])
    """

    def __init__(self, checkpoint: Checkpoint):
        self._tokenizer = checkpoint.tokenizer
        self._config = checkpoint.backbone.config
        self._width = checkpoint.backbone.spec.frame_size
        self._model = EmbeddingModel(checkpoint.backbone)

    @classmethod
    def from_checkpoint(cls, path: str | Path) -> Self:
        """Loads a checkpoint folder, or the best checkpoint of a run's folder.

        Nothing but the folder is needed, whichever machine or process wrote it.

        Raises:
            VidsimError: no checkpoint there, or a damaged one.
        """
        if not isinstance(path, str | Path):
            raise VidsimError(f"from_checkpoint: {path!r}; accepted is the path of a folder")
        return cls(load_checkpoint(find_checkpoint(Path(path))))

    @classmethod
    def from_pretrained(cls, name: str | Path) -> "TextEmbedder":
        """A published sentence encoder with the same ``encode``, for titles alone.

        Args:
            name: a Hugging Face folder, or a name on the Hub; see `TextEmbedder`.

        Raises:
            VidsimError: no such folder, or one that is damaged or not supported.
        """
        from vidsim.text_embedder import TextEmbedder

        return TextEmbedder.from_pretrained(name)

    def encode(
        self,
        titles: Iterable[str] | None = None,
        frames: Iterable[np.ndarray] | None = None,
        batch_size: int = 64,
        show_progress_bar: bool | None = None,
        normalize_embeddings: bool = False,
        texts: Mapping[str, Iterable[str]] | None = None,
    ) -> np.ndarray:
        """Embeds N videos.

        Args:
            titles: N texts in order: a list, a generator, an array, a column of a table. None where
                there are none, as if each was empty.
            frames: N arrays (n, d) of any integers or floats, n may differ and be 0, d is what the
                model was trained with (1536 on the challenge's data); or one array (N, n, d). None
                where there are none.
            batch_size: videos in one forward pass, 1 or more; those of like length go together.
            show_progress_bar: None: in a terminal only.
            normalize_embeddings: whether every vector is scaled to length 1, so that a dot product
                is a cosine.
            texts: N texts of other fields that the model reads, by the field's name, such as
                "asr_text"; of one that is not given, each video's is empty.

        Returns:
            (N, 256) float32, in the order given.

        Raises:
            VidsimError: neither titles nor frames, another number of one than of the other, a
                title that is no text, frames of another shape or with numbers that are not finite
                or beyond float16 (65504); with the place, as in ``frames[2][5]``. Or a field that
                the model does not read.
        """
        titles, frames = checked_inputs(titles, frames, self._width)
        batch_size = checked_batch_size(batch_size)
        fields = self._fields(titles, texts or {})
        if self._config.modalities == "title":
            frames = [video[:0] for video in frames]
        sequences = text_sequences(self._tokenizer, fields)
        lengths = sequences.tokens.lengths(np.arange(len(titles))) + [
            len(video) for video in frames
        ]
        order = np.argsort(-lengths, kind="stable")  # the longest first: it needs most memory
        batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        out = np.empty((len(titles), self._config.hidden_size), "float32")
        for rows in tracked(batches, show_progress_bar):
            inputs = self._batch(sequences, rows, [frames[row] for row in rows])
            out[rows] = self._model.predict_on_batch(inputs)
        return l2_normalize(out) if normalize_embeddings else out

    def _fields(self, titles: list[str], texts: Mapping[str, Iterable[str]]) -> list[FieldTexts]:
        """The text fields that the model reads, hidden where it is shown frames alone."""
        read = dict(self._config.texts)
        given = {schema.TITLE: titles}
        for name, values in texts.items():
            if name not in read or name == schema.TITLE:
                others = [field for field in read if field != schema.TITLE]
                known = ", ".join(others) or "none"
                raise VidsimError(
                    f"encode: texts has {name!r}; beside titles, this model reads {known}"
                )
            given[name] = checked_texts(values, name)
            if len(given[name]) != len(titles):
                raise VidsimError(
                    f"encode: {len(given[name])} texts of {name} for {len(titles)} videos"
                )
        nothing = [""] * len(titles)
        hidden = self._config.modalities == "frames"
        return [
            FieldTexts(name, nothing if hidden else given.get(name, nothing), length)
            for name, length in read.items()
        ]

    def _batch(
        self, sequences: TextSequences, rows: np.ndarray, frames: list[np.ndarray]
    ) -> dict[str, np.ndarray]:
        """A backbone's inputs for B videos, padded to their own longest."""
        token_ids, token_mask = sequences.tokens.pad(rows, self._tokenizer.special.pad)
        made = {schema.TOKEN_IDS: token_ids, schema.TOKEN_MASK: token_mask}
        if sequences.types is not None:
            made[schema.TOKEN_TYPES], _ = sequences.types.pad(rows)
        if self._width is None:
            return made
        counts = np.array([len(video) for video in frames])
        index, frame_mask = sample_frames(
            counts, self._config.max_frames, self._config.frame_sampling
        )
        taken = np.zeros((*frame_mask.shape, self._width), "float16")
        for place, video in enumerate(frames):
            chosen = index[place, frame_mask[place]]
            taken[place, : len(chosen)] = video[chosen]
        return made | {schema.FRAMES: taken, schema.FRAME_MASK: frame_mask}
