"""Videos embedded by a model in training or after it, and validation on rated pairs."""

import numpy as np

from vidsim.metrics.spearman import SpearmanEvaluator
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.pipeline import embedding_dataset
from vidsim.records.pairs import Pairs
from vidsim.stages.inputs import pair_rows


def embed_videos(
    model: EmbeddingModel, examples: Examples, rows: np.ndarray, batch_size: int
) -> np.ndarray:
    """Embeds the given rows, those of like length together; (N, 256) in the order asked for."""
    order = np.lexsort(examples.lengths(rows).T)
    dataset = embedding_dataset(examples, rows[order], batch_size, model.backbone.devices)
    embedded = model.embed(dataset)[: len(rows)]  # on JAX the last batch is filled up
    result = np.empty_like(embedded)
    result[order] = embedded
    return result


class PairValidation:
    """An `Evaluator`: embeds the videos of rated pairs, correlates with ratings.

    Args:
        model: shares weights with the model in training.
        examples: the videos.
        pairs: rated pairs of them.
        batch_size: videos embedded at a time.
    """

    def __init__(self, model: EmbeddingModel, examples: Examples, pairs: Pairs, batch_size: int):
        rows = pair_rows(examples.table, pairs)
        used, places = np.unique(rows, return_inverse=True)
        places = places.reshape(rows.shape)
        self._evaluate = SpearmanEvaluator(places[:, 0], places[:, 1], pairs.sim)
        self.primary_metric = self._evaluate.primary_metric
        self.greater_is_better = self._evaluate.greater_is_better
        self._model, self._examples = model, examples
        self._rows, self._batch_size = used, batch_size

    def __call__(self) -> dict[str, float]:
        return self._evaluate(
            embed_videos(self._model, self._examples, self._rows, self._batch_size)
        )
