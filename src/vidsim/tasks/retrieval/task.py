"""Retrieval: sentences find videos and videos sentences, by the cosine of two embeddings."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vidsim.config import Common, Size
from vidsim.errors import VidsimError
from vidsim.recipes.recipe import Recipe, objectives
from vidsim.recipes.sizes import SMALL_FROZEN
from vidsim.records.video_table import VideoTable
from vidsim.schema import EMBEDDING, TEXT_EMBEDDING, VIDEO_EMBEDDING
from vidsim.tasks.file_report import FileReport
from vidsim.tasks.job import Job
from vidsim.tasks.retrieval.configs import (
    CaptionFoldConfig,
    RetrievalConfig,
    RetrievalEnsembleConfig,
    RetrievalInferenceConfig,
)
from vidsim.tasks.retrieval.data import CaptionFolds, FoldCaptions
from vidsim.tasks.retrieval.match_job import MatchJob
from vidsim.tasks.retrieval.predictions import EmbeddedSides
from vidsim.tasks.task import Task

if TYPE_CHECKING:
    import keras

    from vidsim.models.backbone import Backbone
    from vidsim.models.embedding_model import EmbeddingModel
    from vidsim.models.retrieval_head import RetrievalHead
    from vidsim.models.task_model import TaskModel
    from vidsim.models.two_tower import Towers
    from vidsim.preprocess.pipeline import Batches
    from vidsim.tasks.loaded_model import LoadedModel
    from vidsim.tasks.retrieval.validation import RetrievalValidation


_SMALL_PRETRAINED: Mapping[str, Any] = MappingProxyType(
    {
        **SMALL_FROZEN,
        "total_steps": 280,
        "ema": 0.97,
        "tower_hidden": 2048,
        "tower_dropout": 0.6,
        "tower_skip": True,
        "retrieval_temperature": 0.07,
    }
)


def _settings(config: RetrievalConfig) -> dict[str, Any]:
    """What the head depends on."""
    found = {name: getattr(config, name) for name in ("tower_hidden", "tower_dropout")}
    if config.tower_skip:
        found["tower_skip"] = True
    return found | {"match": True} if config.match.match_weight else found


class Retrieval(Task):
    """Trained on captions, validated by r_mean, blended by the cosines into retrieval.json.

    An epoch visits every sentence once, with its video: the data say how often a video is seen, by
    how much was said of it.
    """

    name: ClassVar[str] = "retrieval"
    unit: ClassVar[str] = "captions"
    product: ClassVar[str] = "embeddings"
    examples: ClassVar[str] = "videos and sentences"
    arrays: ClassVar[tuple[str, ...]] = (EMBEDDING,)

    def default_config(self, recipe: Recipe) -> RetrievalConfig:
        return RetrievalConfig()

    def size_values(self, size: Size, pretrained: bool) -> Mapping[str, Any]:
        if size == "base":
            return {}
        values: dict[str, Any] = {"modality_dropout": 0.0}
        if size == "small":  # negatives are the loss: large batches
            values |= {"batch_size": 256, "lr": 2e-3, "warmup_steps": 10, "eval_freq": 25}
        if size == "small" and pretrained:
            values |= _SMALL_PRETRAINED
        return values

    def fold_config(self) -> CaptionFoldConfig:
        return CaptionFoldConfig()

    def inference_config(self) -> RetrievalInferenceConfig:
        return RetrievalInferenceConfig()

    def ensemble_config(self) -> RetrievalEnsembleConfig:
        return RetrievalEnsembleConfig()

    def write_folds(self, common: Common, config: CaptionFoldConfig) -> None:
        from vidsim.tasks.retrieval.write_folds import write_caption_folds

        write_caption_folds(common, config)

    def fold_differences(self, common: Common, config: CaptionFoldConfig) -> list[str] | None:
        from vidsim.tasks.retrieval.write_folds import fold_differences

        return fold_differences(common, config)

    def open_folds(self, common: Common, config: RetrievalConfig) -> CaptionFolds:
        return CaptionFolds(common, _settings(config))

    def fold_key(self, config: RetrievalConfig) -> tuple[Any, ...]:
        return tuple(_settings(config).items())

    def check_files(
        self, common: Common, tables: Mapping[str, VideoTable | None]
    ) -> Iterator[FileReport]:
        from vidsim.tasks.retrieval.file_checks import check_captions

        yield from check_captions(common, tables)

    def head(
        self, backbone: "Backbone", settings: Mapping[str, Any]
    ) -> "Towers | RetrievalHead | None":
        from vidsim.models.retrieval_head import build_head

        return build_head(backbone, settings)

    def task_model(
        self, backbone: "Backbone", head: "keras.layers.Layer | None", config: RetrievalConfig
    ) -> "TaskModel":
        from vidsim.models.match_two_tower import MatchTwoTower
        from vidsim.models.momentum_retrieval import MomentumRetrieval
        from vidsim.models.two_tower import TwoTower
        from vidsim.objectives.objective import build_objectives

        spec, shown = backbone.spec, backbone.config.modalities
        if not spec.has_text or spec.frame_size is None or shown != "both":
            raise VidsimError(
                "retrieval needs a model that reads words and frames; this one has --modalities "
                f"{shown}"
            )
        outputs = (*backbone.output_keys, TEXT_EMBEDDING, VIDEO_EMBEDDING)
        losses = build_objectives(objectives(config), backbone, outputs)
        kind: Any = MatchTwoTower if config.match.match_weight else TwoTower
        return (MomentumRetrieval if config.itc.itc_weight else kind)(backbone, losses, head)

    def dataset(self, model: "LoadedModel", data: FoldCaptions, batches: "Batches") -> Any:
        from vidsim.preprocess.pipeline import text_video_dataset

        texts, videos = model.examples(data.train_texts), model.examples(data.videos)
        return text_video_dataset(texts, videos, data.videos.rows_of(data.train.videos), batches)

    def evaluator(
        self, model: "LoadedModel", data: FoldCaptions, config: RetrievalConfig
    ) -> "RetrievalValidation":
        from vidsim.tasks.retrieval.validation import RetrievalValidation

        parts = (data.val_texts, data.videos, data.gallery)
        return RetrievalValidation(model, *parts, data.evaluator())

    def prediction_model(
        self, backbone: "Backbone", head: "keras.layers.Layer | None"
    ) -> "EmbeddingModel":
        from vidsim.models.retrieval_model import RetrievalModel

        return RetrievalModel(backbone, head)

    def open_predictions(self, common: Common, config: RetrievalInferenceConfig) -> EmbeddedSides:
        sides = EmbeddedSides(common, config)
        sides.say_cost()
        return sides

    def predict(self, model: "LoadedModel", job: Job, part: slice) -> dict[str, np.ndarray]:
        from vidsim.tasks.loaded_model import embed_videos

        if isinstance(job, MatchJob):
            from vidsim.tasks.retrieval.scoring import match_scores

            return match_scores(model, job, part)
        examples = model.examples(job.table)
        embedded = embed_videos(model.model, examples, job.rows[part], model.batch_size)
        return {EMBEDDING: embedded}

    def check_ensemble(self, common: Common) -> None:
        """The report is of this package's own name, in the task's own folder: nothing to see to."""

    def ensemble(self, common: Common, config: RetrievalEnsembleConfig) -> None:
        from vidsim.tasks.retrieval.ensemble import run

        run(common, config)
