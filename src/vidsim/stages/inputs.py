"""Finding and opening a data set's files for a stage."""

from pathlib import Path

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.metrics.spearman import SpearmanEvaluator
from vidsim.models.embedding_model import EmbeddingModel
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.pipeline import embedding_dataset
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.records.pairs import Pairs
from vidsim.records.video_table import VideoTable
from vidsim.stages.data_files import open_table
from vidsim.training.configs import RunConfig

POINTWISE = "pointwise/*.tfrecords"
PAIRWISE = "pairwise/pairwise.tfrecords"


def open_videos(common: Common, pattern: str | None, default: str) -> VideoTable:
    """The videos of a pattern, or of the default one under the data folder."""
    return open_table(common, pattern or str(common.data_dir / default))


def open_tags(common: Common, config: RunConfig) -> TagVocabulary:
    """The tag list."""
    return TagVocabulary.read(config.multi_label_file or common.data_dir / "tag_list.txt")


def pair_rows(table: VideoTable, pairs: Pairs) -> np.ndarray:
    """(P, 2) rows of each pair's two videos."""
    return np.stack([table.rows_of(pairs.id_1), table.rows_of(pairs.id_2)], axis=1)


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


def run_folder(common: Common, config: RunConfig, default: str, runs: int) -> Path:
    """The folder of a run: --savedmodel-path, or a place of its own under the save folder."""
    if config.savedmodel_path is None:
        return common.save_dir / default
    if runs > 1:
        raise VidsimError(
            f"--savedmodel-path {config.savedmodel_path} names the folder of one run, but this "
            f"command makes {runs}; name one recipe and one fold, or leave it out"
        )
    return config.savedmodel_path
