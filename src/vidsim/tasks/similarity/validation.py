"""Validation on rated pairs, of finetuning and of pretraining."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidsim.config import Common
from vidsim.files import file_digest
from vidsim.provenance import is_made_up
from vidsim.recipes.recipe import PretrainConfig
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.tasks.data_files import PAIRWISE, complete, open_ratings, open_videos, pair_rows
from vidsim.tasks.loaded_model import LoadedModel, embed_videos
from vidsim.training.configs import RunConfig

if TYPE_CHECKING:
    from vidsim.models.task_model import TaskModel


class PairValidation:
    """An `Evaluator`: embeds the videos of rated pairs, which the run's own evaluator then judges.

    Args:
        model: an EmbeddingModel that shares weights with the model in training.
        table: the videos.
        pairs: rated pairs of them.
        config: its evaluator.
    """

    def __init__(self, model: LoadedModel, table: VideoTable, pairs: Pairs, config: RunConfig):
        rows = pair_rows(table, pairs)
        used, places = np.unique(rows, return_inverse=True)
        places = places.reshape(rows.shape)
        self._evaluate = config.pair_evaluator(places[:, 0], places[:, 1], pairs.sim)
        self.primary_metric = self._evaluate.primary_metric
        self.greater_is_better = self._evaluate.greater_is_better
        self._model, self._examples, self._rows = model, model.examples(table), used

    def __call__(self) -> dict[str, float]:
        model = self._model
        return self._evaluate(
            embed_videos(model.model, self._examples, self._rows, model.batch_size)
        )


class RatedPairs:
    """Validates a pretraining by all rated pairs of the data.

    Attributes:
        labels: the file of ratings.
        videos: the rated videos.
        pairs: the ratings whose videos are both there.
    """

    note = ""

    def __init__(self, common: Common, config: PretrainConfig, labels: Path):
        self.labels = labels
        self.videos = open_videos(common, config.val_record_pattern, PAIRWISE)
        pairs, rows = open_ratings(labels, self.videos)
        self.pairs = pairs.take(complete(rows))

    @property
    def hashes(self) -> dict[str, str]:
        return {"rated_videos": self.videos.digest, "ratings": file_digest(self.labels)}

    def titles(self) -> list[str]:
        return self.videos.titles

    def training_rows(self) -> None:
        return None

    def about(self) -> dict[str, Any]:
        made_up = is_made_up(self.pairs.videos().tolist())
        return {"made_up_sample": made_up, "validation_pairs": len(self.pairs)}

    def evaluator(
        self, trained: "TaskModel", model: LoadedModel, config: PretrainConfig
    ) -> PairValidation:
        return PairValidation(model, self.videos, self.pairs, config)
