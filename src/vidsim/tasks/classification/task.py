"""Classification: the one category of a video, by heads over its embedding.

What needs SciPy, Keras or TensorFlow is imported where it is used: this is read at every start.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vidsim.config import Common, Size
from vidsim.recipes.recipe import Recipe, objectives
from vidsim.recipes.sizes import SMALL_FROZEN
from vidsim.records.video_table import VideoTable
from vidsim.schema import CLASS_LOGITS, CLASSES, PROBABILITIES
from vidsim.tasks.classification.configs import (
    ClassEnsembleConfig,
    ClassFoldConfig,
    ClassificationConfig,
    parse_resample,
)
from vidsim.tasks.classification.file_checks import check_category_list, check_class_folds
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.file_report import FileReport
from vidsim.tasks.job import Job
from vidsim.tasks.task import Task

if TYPE_CHECKING:
    import keras

    from vidsim.models.backbone import Backbone
    from vidsim.models.class_scorer import ClassPredictor, ClassScorer
    from vidsim.preprocess.pipeline import Batches
    from vidsim.tasks.classification.fold_source import ClassFolds, FoldVideos
    from vidsim.tasks.classification.predictions import ClassifiedVideos
    from vidsim.tasks.classification.validation import ClassValidation
    from vidsim.tasks.loaded_model import LoadedModel

_SMALL_PRETRAINED: Mapping[str, Any] = MappingProxyType(
    {
        **SMALL_FROZEN,
        "total_steps": 400,
        "batch_size": 128,
        "modality_dropout": 0.0,
        "ema": 0.98,
        "class_heads": 8,
        "class_hidden": 2048,
        "class_dropout": 0.7,
        "class_skip": True,
        "mixup": 0.4,
        "label_smoothing": 0.1,
        "logit_adjustment": 0.3,
    }
)


def _settings(config: ClassificationConfig) -> dict[str, Any]:
    """What the heads depend on, besides the classes."""
    names = ["class_hidden", "class_dropout", "class_skip"] if config.class_hidden else []
    names += ["class_heads"] * (config.class_heads > 1)
    return {name: getattr(config, name) for name in names}


class Classification(Task):
    """Trained on the videos' categories, validated by mean_f1, blended into result.csv."""

    name: ClassVar[str] = "classification"
    unit: ClassVar[str] = "videos"
    product: ClassVar[str] = "probabilities"
    arrays: ClassVar[tuple[str, ...]] = (PROBABILITIES,)

    def default_config(self, recipe: Recipe) -> ClassificationConfig:
        return ClassificationConfig()

    def size_values(self, size: Size, pretrained: bool) -> Mapping[str, Any]:
        return _SMALL_PRETRAINED if size == "small" and pretrained else {}

    def fold_config(self) -> ClassFoldConfig:
        return ClassFoldConfig()

    def ensemble_config(self) -> ClassEnsembleConfig:
        return ClassEnsembleConfig()

    def write_folds(self, common: Common, config: ClassFoldConfig) -> None:
        from vidsim.tasks.classification.write_folds import write_class_folds

        write_class_folds(common, config)

    def fold_differences(self, common: Common, config: Any) -> list[str] | None:
        from vidsim.tasks.classification.write_folds import fold_differences

        return fold_differences(common, config)

    def open_folds(self, common: Common, config: ClassificationConfig) -> "ClassFolds":
        from vidsim.tasks.classification.fold_source import ClassFolds

        return ClassFolds(common, parse_resample(config.resample) or (), _settings(config))

    def fold_key(self, config: ClassificationConfig) -> tuple[Any, ...]:
        return (config.resample, *_settings(config).items())

    def check_folder(
        self, common: Common, name: str, table: VideoTable | None
    ) -> Iterator[FileReport]:
        if name == "pointwise":
            yield from check_class_folds(common)
        yield from check_category_list(common, name, table)

    def head(self, backbone: "Backbone", settings: Mapping[str, Any]) -> "keras.layers.Layer":
        from vidsim.models.class_scorer import build_class_heads

        return build_class_heads(backbone, settings)

    def task_model(
        self,
        backbone: "Backbone",
        head: "keras.layers.Layer | None",
        config: ClassificationConfig,
    ) -> "ClassScorer":
        from vidsim.models.class_scorer import ClassScorer
        from vidsim.objectives.objective import build_objectives

        outputs = (*backbone.output_keys, CLASS_LOGITS)
        parts = build_objectives(objectives(config), backbone, outputs)
        return ClassScorer(backbone, parts, head, mixup=config.mixup)

    def dataset(self, model: "LoadedModel", data: "FoldVideos", batches: "Batches") -> Any:
        from vidsim.preprocess.pipeline import labelled_dataset

        return labelled_dataset(model.examples(data.table), data.seen, data.labels(), batches)

    def evaluator(
        self, model: "LoadedModel", data: "FoldVideos", config: ClassificationConfig
    ) -> "ClassValidation":
        from vidsim.tasks.classification.validation import ClassValidation

        return ClassValidation(model, data)

    def prediction_model(
        self, backbone: "Backbone", head: "keras.layers.Layer | None"
    ) -> "ClassPredictor":
        from vidsim.models.class_scorer import ClassHeads, ClassPredictor

        assert isinstance(head, ClassHeads)
        return ClassPredictor(backbone, head)

    def open_predictions(self, common: Common, config: InferenceConfig) -> "ClassifiedVideos":
        from vidsim.tasks.classification.predictions import ClassifiedVideos

        return ClassifiedVideos(common, config)

    def predict(self, model: "LoadedModel", job: Job, part: slice) -> dict[str, np.ndarray]:
        from vidsim.tasks.loaded_model import embed_videos

        examples = model.examples(job.table)
        found = embed_videos(model.model, examples, job.rows[part], model.batch_size)
        return {PROBABILITIES: found}

    def columns(self, model: "LoadedModel") -> dict[str, np.ndarray]:
        return {CLASSES: model.model.head.categories}

    def check_ensemble(self, common: Common) -> None:
        from vidsim.tasks.classification.result import refuse_foreign, result_path

        refuse_foreign(result_path(common, None))

    def ensemble(self, common: Common, config: ClassEnsembleConfig) -> None:
        from vidsim.tasks.classification.ensemble import run

        run(common, config)
