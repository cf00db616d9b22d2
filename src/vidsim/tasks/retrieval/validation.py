"""Validation of retrieval: both sides are embedded, each is searched by the other."""

from typing import TYPE_CHECKING

import numpy as np

from vidsim.tasks.loaded_model import LoadedModel, embed_videos

if TYPE_CHECKING:
    from vidsim.metrics.retrieval import RetrievalEvaluator
    from vidsim.records.video_table import VideoTable


class RetrievalValidation:
    """An `Evaluator` of the current weights.

    Args:
        model: an EmbeddingModel that shares weights with the model in training.
        texts: a table of the sentences.
        videos: a table of videos without texts.
        gallery: (V,) its rows that are searched.
        evaluate: scores both matrices.
    """

    def __init__(
        self,
        model: LoadedModel,
        texts: "VideoTable",
        videos: "VideoTable",
        gallery: np.ndarray,
        evaluate: "RetrievalEvaluator",
    ):
        self.primary_metric = evaluate.primary_metric
        self.greater_is_better = evaluate.greater_is_better
        self._model, self._evaluate = model, evaluate
        self._sides = (
            (model.examples(texts), np.arange(len(texts))),
            (model.examples(videos), gallery),
        )

    def __call__(self) -> dict[str, float]:
        model = self._model
        texts, videos = (
            embed_videos(model.model, examples, rows, model.batch_size)
            for examples, rows in self._sides
        )
        if not (np.isfinite(texts).all() and np.isfinite(videos).all()):
            return {self.primary_metric: float("nan")}  # the run has diverged, and says so itself
        return self._evaluate(texts, videos)
