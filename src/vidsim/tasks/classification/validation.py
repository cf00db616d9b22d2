"""Validation of classification while it trains."""

from vidsim.tasks.classification.fold_source import FoldVideos
from vidsim.tasks.loaded_model import LoadedModel, embed_videos


class ClassValidation:
    """An `Evaluator`: the classes of a fold's validation videos.

    Args:
        model: a ClassPredictor that shares weights with the model in training.
        data: the fold.
    """

    def __init__(self, model: LoadedModel, data: FoldVideos):
        self._model, self._examples = model, model.examples(data.table)
        self._rows, self._evaluate = data.val, data.evaluator()
        self.primary_metric = self._evaluate.primary_metric
        self.greater_is_better = self._evaluate.greater_is_better

    def __call__(self) -> dict[str, float]:
        model = self._model
        return self._evaluate(
            embed_videos(model.model, self._examples, self._rows, model.batch_size)
        )
