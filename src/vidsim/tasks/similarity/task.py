"""The challenge's task: embeddings whose cosine ranks pairs of videos as people do.

What needs SciPy, Keras or TensorFlow is imported where it is used: this is read at every start.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vidsim.config import Common
from vidsim.recipes.recipe import PretrainConfig, Recipe, TaskConfig, objectives
from vidsim.records.video_table import VideoTable
from vidsim.schema import COSINE, EMBEDDING
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.data_files import LABELS, pair_rows
from vidsim.tasks.file_report import FileReport
from vidsim.tasks.job import Job
from vidsim.tasks.similarity.configs import EnsembleConfig, WriteTfrecordConfig
from vidsim.tasks.similarity.file_checks import check_folds, check_labels
from vidsim.tasks.task import Task

if TYPE_CHECKING:
    import keras

    from vidsim.models.backbone import Backbone
    from vidsim.models.embedding_model import EmbeddingModel
    from vidsim.models.task_model import TaskModel
    from vidsim.preprocess.pipeline import Batches
    from vidsim.tasks.loaded_model import LoadedModel
    from vidsim.tasks.similarity.pair_source import FoldPairs, PairSource
    from vidsim.tasks.similarity.predictions import EmbeddedVideos
    from vidsim.tasks.similarity.validation import PairValidation, RatedPairs


class Similarity(Task):
    """Trained on rated pairs, validated by Spearman, blended into result.zip."""

    name: ClassVar[str] = "similarity"
    unit: ClassVar[str] = "pairs"
    product: ClassVar[str] = "embeddings"
    arrays: ClassVar[tuple[str, ...]] = (EMBEDDING,)

    def default_config(self, recipe: Recipe) -> TaskConfig:
        return recipe.finetune

    def fold_config(self) -> WriteTfrecordConfig:
        return WriteTfrecordConfig()

    def ensemble_config(self) -> EnsembleConfig:
        return EnsembleConfig()

    def write_folds(self, common: Common, config: WriteTfrecordConfig) -> None:
        from vidsim.tasks.similarity.write_folds import write_pair_folds

        write_pair_folds(common, config)

    def fold_differences(self, common: Common, config: WriteTfrecordConfig) -> list[str] | None:
        from vidsim.tasks.similarity.write_folds import fold_differences

        return fold_differences(common, config)

    def open_folds(self, common: Common, config: TaskConfig) -> "PairSource":
        from vidsim.tasks.similarity.pair_source import PairSource

        return PairSource(common, config)

    def check_folder(
        self, common: Common, name: str, table: VideoTable | None
    ) -> Iterator[FileReport]:
        labels = common.data_dir / name / "label.tsv"
        if name == "pairwise" or labels.exists():
            yield check_labels(labels, table)
        if name == "pairwise":
            yield from check_folds(common.data_dir, table)

    def pretrain_validation(self, common: Common, config: PretrainConfig) -> "RatedPairs | None":
        from vidsim.tasks.similarity.validation import RatedPairs

        labels = config.annotation_file or common.data_dir / LABELS
        if config.annotation_file is None and not labels.exists():
            return None
        return RatedPairs(common, config, labels)

    def task_model(
        self, backbone: "Backbone", head: "keras.layers.Layer | None", config: TaskConfig
    ) -> "TaskModel":
        from vidsim.models.pair_scorer import PairScorer
        from vidsim.objectives.objective import build_objectives

        outputs = (*backbone.output_keys, COSINE)
        return PairScorer(backbone, build_objectives(objectives(config), backbone, outputs))

    def dataset(self, model: "LoadedModel", data: "FoldPairs", batches: "Batches") -> Any:
        from vidsim.preprocess.pipeline import pair_dataset

        examples = model.examples(data.train_videos)
        rows = pair_rows(data.train_videos, data.train)
        return pair_dataset(examples, rows, data.targets, batches)

    def evaluator(
        self, model: "LoadedModel", data: "FoldPairs", config: TaskConfig
    ) -> "PairValidation":
        from vidsim.tasks.similarity.validation import PairValidation

        return PairValidation(model, data.val_videos, data.val, config)

    def prediction_model(
        self, backbone: "Backbone", head: "keras.layers.Layer | None"
    ) -> "EmbeddingModel":
        from vidsim.models.embedding_model import EmbeddingModel

        return EmbeddingModel(backbone)

    def open_predictions(self, common: Common, config: InferenceConfig) -> "EmbeddedVideos":
        from vidsim.tasks.similarity.predictions import EmbeddedVideos

        return EmbeddedVideos(common, config)

    def predict(self, model: "LoadedModel", job: Job, part: slice) -> dict[str, np.ndarray]:
        from vidsim.tasks.loaded_model import embed_videos

        examples = model.examples(job.table)
        embedded = embed_videos(model.model, examples, job.rows[part], model.batch_size)
        return {EMBEDDING: embedded}

    def check_ensemble(self, common: Common) -> None:
        from vidsim.tasks.similarity.ensemble_plan import submission_path
        from vidsim.tasks.similarity.submission import refuse_foreign

        refuse_foreign(submission_path(common))

    def ensemble(self, common: Common, config: EnsembleConfig) -> None:
        from vidsim.tasks.similarity.ensemble import run

        run(common, config)
