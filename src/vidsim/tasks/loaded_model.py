"""A model with its weights and the means to give it videos, for validation and for inference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vidsim.records.video_table import VideoTable

if TYPE_CHECKING:
    from vidsim.models.embedding_model import EmbeddingModel
    from vidsim.preprocess.examples import Examples


@dataclass(frozen=True)
class LoadedModel:
    """What a task predicts and validates with.

    Attributes:
        model: of `Task.prediction_model`.
        examples: gives the videos of a table as this model's inputs; tokenized once.
        batch_size: videos at a time.
    """

    model: Any
    examples: "Callable[[VideoTable], Examples]"
    batch_size: int


def embed_videos(
    model: "EmbeddingModel", examples: "Examples", rows: np.ndarray, batch_size: int
) -> np.ndarray:
    """Embeds the given rows, those of like length together.

    Args:
        model: any model with `embed` and `backbone` as EmbeddingModel has them; D numbers a video.
        examples: the videos.
        rows: (N,) which of them.
        batch_size: videos at a time.

    Returns:
        (N, D) in the order asked for.
    """
    from vidsim.preprocess.pipeline import embedding_dataset

    order = np.lexsort(examples.lengths(rows).T)
    dataset = embedding_dataset(examples, rows[order], batch_size, model.backbone.devices)
    embedded = model.embed(dataset)[: len(rows)]  # on JAX the last batch is filled up
    result = np.empty_like(embedded)
    result[order] = embedded
    return result
