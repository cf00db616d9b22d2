"""Trained models as functions from videos in memory to vectors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.models.retrieval_head import build_head
from vidsim.models.retrieval_model import RetrievalModel
from vidsim.preprocess.frames import sample_frames
from vidsim.preprocess.text_sequence import FieldTexts, TextSequences, text_sequences
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.training.checkpoint import (
    Checkpoint,
    load_with_head,
    model_shape,
    take_weights,
    verified_description,
)

Bar = Callable[[list[np.ndarray]], Iterable[np.ndarray]]
"""Gives the batches one by one, and shows how far it is."""


@dataclass(frozen=True)
class ModelInputs:
    """N videos as one model reads them: texts tokenized, frames as they come."""

    sequences: TextSequences
    frames: Sequence[np.ndarray]

    def batches(self, size: int) -> list[np.ndarray]:
        """The rows of each batch, the longest videos first: they need most memory."""
        rows = np.arange(len(self.frames))
        lengths = self.sequences.tokens.lengths(rows) + [len(video) for video in self.frames]
        order = np.argsort(-lengths, kind="stable")
        return [order[start : start + size] for start in range(0, len(order), size)]


class VideoModel:
    """A checkpoint's model with its tokenizer.

    Args:
        checkpoint: model, tokenizer and tag vocabulary.

    Attributes:
        checkpoint: the same.
        model: gives the embedding alone.
        width: numbers of a frame; None: the model reads no frames.
        fields: the text fields that it reads.
    """

    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint = checkpoint
        backbone, head = checkpoint.backbone, checkpoint.head
        by_side = checkpoint.info.get("task", {}).get("name") == "retrieval"
        self.model = RetrievalModel(backbone, head) if by_side else EmbeddingModel(backbone)
        self.width = checkpoint.backbone.spec.frame_size
        self._config = checkpoint.backbone.config
        self.fields = tuple(name for name, _ in self._config.texts)

    def inputs(
        self, texts: Mapping[str, Sequence[str]], frames: Sequence[np.ndarray]
    ) -> ModelInputs:
        """Tokenizes the fields that the model reads; hides what it was not trained on.

        Args:
            texts: N by field; of a field that is not there, each video's is empty.
            frames: N arrays (n, width).
        """
        if self.width is None or self._config.modalities == "title":
            frames = [video[:0] for video in frames]
        nothing = [""] * len(frames)
        hidden = self._config.modalities == "frames"
        fields = [
            FieldTexts(name, nothing if hidden else texts.get(name, nothing), length)
            for name, length in self._config.texts
        ]
        return ModelInputs(text_sequences(self.checkpoint.tokenizer, fields), frames)

    def embed(self, inputs: ModelInputs, batch_size: int, bar: Bar) -> np.ndarray:
        """(N, D) float32."""
        out = np.empty((len(inputs.frames), self._config.hidden_size), "float32")
        for rows in bar(inputs.batches(batch_size)):
            batch = self._batch(inputs.sequences, rows, [inputs.frames[row] for row in rows])
            out[rows] = self.model.predict_on_batch(batch)
        return out

    def _batch(
        self, sequences: TextSequences, rows: np.ndarray, frames: list[np.ndarray]
    ) -> dict[str, np.ndarray]:
        """A backbone's inputs for B videos, padded to their own longest."""
        token_ids, token_mask = sequences.tokens.pad(rows, self.checkpoint.tokenizer.special.pad)
        made = {schema.TOKEN_IDS: token_ids, schema.TOKEN_MASK: token_mask}
        if sequences.types is not None:
            made[schema.TOKEN_TYPES], _ = sequences.types.pad(rows)
        if self.width is None:
            return made
        counts = np.array([len(video) for video in frames])
        index, frame_mask = sample_frames(
            counts, self._config.max_frames, self._config.frame_sampling
        )
        taken = np.zeros((*frame_mask.shape, self.width), "float16")
        for place, video in enumerate(frames):
            chosen = index[place, frame_mask[place]]
            taken[place, : len(chosen)] = video[chosen]
        return made | {schema.FRAMES: taken, schema.FRAME_MASK: frame_mask}


class VideoModels:
    """Checkpoints through as few models as their shapes allow, the weights of one at a time.

    The folds of a recipe have one shape: they share one model, and memory does not grow with them.
    """

    def __init__(self) -> None:
        self._models: dict[str, VideoModel] = {}
        self._shapes: dict[Path, str] = {}
        self._loaded: dict[str, Path] = {}

    def load(self, folder: Path) -> VideoModel:
        """The model with the checkpoint's weights, until another of its shape is asked for.

        Raises:
            VidsimError: no checkpoint there, or a damaged one.
        """
        if folder not in self._shapes:
            self._shapes[folder] = repr(model_shape(verified_description(folder)))
        shape = self._shapes[folder]
        if shape not in self._models:
            self._models[shape] = VideoModel(load_with_head(folder, build_head))
        elif self._loaded[shape] != folder:
            take_weights(self._models[shape].checkpoint, folder)
        self._loaded[shape] = folder
        return self._models[shape]


def common_origin(models: Mapping[str, VideoModel]) -> FeatureOrigin | None:
    """What made the features that the models were trained on; None where no checkpoint says it.

    Raises:
        VidsimError: two of them were trained on features of different origins.
    """
    found: tuple[str, FeatureOrigin] | None = None
    for name, model in models.items():
        origin = FeatureOrigin.of(model.checkpoint.info.get("features"))
        if origin is None or model.width is None:
            continue
        if found is not None:
            origin.require_readable(found[1], f"the models of {found[0]} and {name}")
        found = found or (name, origin)
    return None if found is None else found[1]


def common_width(models: Mapping[str, VideoModel]) -> int | None:
    """Numbers of a frame, for all models that read frames; None where none does.

    Raises:
        VidsimError: two of them read frames of different widths.
    """
    widths = {model.width: name for name, model in models.items() if model.width is not None}
    if len(widths) > 1:
        read = " and ".join(f"{width} ({name})" for width, name in widths.items())
        raise VidsimError(
            f"the models read frames of different widths: {read}; videos have frames of one width, "
            "so embed by each recipe alone"
        )
    return next(iter(widths), None)
