"""What a task is to the commands: folds, training, predictions and their blend.

A stage asks a task for all of this and knows none by name. Importing a task must be light: neither
TensorFlow nor Keras is loaded before a method that trains or predicts is called, since `plan` and
`ensemble` need neither.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vidsim.config import Common, Size
from vidsim.config_fields import Config
from vidsim.recipes.recipe import Recipe, TaskConfig
from vidsim.records.video_table import VideoTable
from vidsim.tasks.configs import FoldConfig, InferenceConfig
from vidsim.tasks.file_report import FileReport
from vidsim.tasks.folds import Folds
from vidsim.tasks.job import Job, Predictions

if TYPE_CHECKING:
    import keras

    from vidsim.models.backbone import Backbone
    from vidsim.models.task_model import TaskModel
    from vidsim.preprocess.pipeline import Batches
    from vidsim.tasks.loaded_model import LoadedModel
    from vidsim.tasks.pretrain_validation import PretrainValidation
    from vidsim.training.validation import Evaluator


class Task(ABC):
    """One thing that models are finetuned for, from the data's folds to the blend's report.

    Attributes:
        name: as --task takes it.
        unit: what a training example is, in the plural: "pairs".
        product: what inference writes, in the plural: "embeddings".
        examples: what it writes them of, in the plural: "videos".
        arrays: the arrays of every file of predictions, by name; the first dimension of each is
            that of the ids.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    product: ClassVar[str]
    examples: ClassVar[str] = "videos"
    arrays: ClassVar[tuple[str, ...]]

    # ---- flags ---------------------------------------------------------------------------------

    @abstractmethod
    def default_config(self, recipe: Recipe) -> TaskConfig:
        """The flags of `finetune --task NAME` for a recipe, at the published size.

        --size replaces those of its values that a size has (recipes/sizes.py); what the recipe says
        in `Recipe.tasks`, and then the command line, replaces any.
        """

    def size_values(self, size: Size, pretrained: bool) -> Mapping[str, Any]:
        """Values of the task's own for a size, by field; they win over those all tasks share.

        Args:
            size: tiny, small or base.
            pretrained: whether the text encoder comes from --bert-dir.
        """
        return {}

    def fold_config(self) -> FoldConfig:
        """The flags of `write_tfrecord --task NAME`."""
        return FoldConfig()

    def inference_config(self) -> InferenceConfig:
        """The flags of `inference --task NAME`."""
        return InferenceConfig()

    @abstractmethod
    def ensemble_config(self) -> Config:
        """The flags of `ensemble --task NAME`."""

    # ---- folds ---------------------------------------------------------------------------------

    @abstractmethod
    def write_folds(self, common: Common, config: Any) -> None:
        """Writes the folds, unless they are there; says what it did.

        Those of a new task go to `folds_dir(common)`, in folders fold0, fold1, ... with one
        manifest beside them. Cut by [common.fold_seed, fold] alone. Folds that are there are never
        overwritten; with --redo they are moved aside.

        Args:
            common: folders, `fold_seed`, `redo` and `on_bad_record`.
            config: of `fold_config`.

        Raises:
            VidsimError: the folds that are there were made with other flags or of other data, or
                the data do not suffice.
        """

    @abstractmethod
    def fold_differences(self, common: Common, config: Any) -> list[str] | None:
        """How the folds that are there differ from those asked for; None where there are none.

        Writes nothing but indexes.

        Raises:
            VidsimError: they differ and `redo` is not set, or the data are missing or damaged.
        """

    @abstractmethod
    def open_folds(self, common: Common, config: TaskConfig) -> Folds:
        """The folds that finetuning reads.

        Raises:
            VidsimError: they are not written yet, or flags contradict each other.
        """

    def fold_key(self, config: TaskConfig) -> tuple[Any, ...]:
        """The flags that `open_folds` reads: recipes with equal ones share what it opens."""
        return config.train_record_pattern, config.val_record_pattern

    def check_folder(
        self, common: Common, name: str, table: VideoTable | None
    ) -> Iterator[FileReport]:
        """Reports of `vidsim check` on the task's own files in a folder of videos.

        Args:
            common: folders.
            name: pointwise, pairwise, test_a or test_b.
            table: the folder's videos; None where it has none.
        """
        yield from ()

    def check_files(
        self, common: Common, tables: Mapping[str, VideoTable | None]
    ) -> Iterator[FileReport]:
        """Reports of `vidsim check` on the task's files that lie in no folder of videos.

        Args:
            common: folders.
            tables: the videos of pointwise, pairwise, test_a and test_b; None where there are none.
        """
        yield from ()

    # ---- training ------------------------------------------------------------------------------

    def pretrain_validation(self, common: Common, config: Any) -> "PretrainValidation | None":
        """What the task's data can validate a pretraining by; None where they are not there.

        The first task in the registry that has something is asked; without any, pretraining
        validates by its own loss on held-out videos.

        Args:
            common: folders.
            config: a PretrainConfig.

        Raises:
            VidsimError: files that were named are missing, or there are damaged ones.
        """
        return None

    def head(
        self, backbone: "Backbone", settings: Mapping[str, Any]
    ) -> "keras.layers.Layer | None":
        """New layers of the task's own, built, that go with the backbone into the checkpoint.

        None where it needs none. Objectives that own weights do not: those stay behind.

        Args:
            backbone: whose embedding they read.
            settings: as `Folds.settings` has them, or as a checkpoint has kept them.
        """
        return None

    @abstractmethod
    def task_model(
        self, backbone: "Backbone", head: "keras.layers.Layer | None", config: Any
    ) -> "TaskModel":
        """The model that is trained: backbone, head and the objectives of the configuration.

        Args:
            backbone: with its first weights.
            head: of `head`.
            config: of `default_config`, with everybody's changes.

        Raises:
            VidsimError: an objective needs what the family does not give, or every weight is 0.
        """

    @abstractmethod
    def dataset(self, model: "LoadedModel", data: Any, batches: "Batches") -> Any:
        """A tf.data.Dataset of exactly the batches of one fold that are still to be trained on.

        Elements are what `task_model` is called with, a pure function of the seed and the step in
        `batches`.

        Args:
            model: gives the videos of a table as the model's inputs.
            data: of `Folds.load`.
            batches: how many, of which size, in which order, from which step on.
        """

    @abstractmethod
    def evaluator(self, model: "LoadedModel", data: Any, config: Any) -> "Evaluator":
        """Validates the current weights on one fold: no arguments, a dict of metrics.

        Its `primary_metric` and `greater_is_better` decide which checkpoint is the best.

        Args:
            model: the weights in training, as `prediction_model` gives them.
            data: of `Folds.load`.
            config: as of `task_model`.
        """

    # ---- predictions and their blend -----------------------------------------------------------

    @abstractmethod
    def prediction_model(self, backbone: "Backbone", head: "keras.layers.Layer | None") -> Any:
        """What predicts, in validation and in inference; shares the weights and compiles once.

        It is what `predict` and `evaluator` find as `model.model`.
        """

    @abstractmethod
    def open_predictions(self, common: Common, config: Any) -> Predictions:
        """What inference is to predict: at least each fold's validation examples.

        Where the data folder has no test videos that is all, which it says.

        Args:
            common: folders and --folds.
            config: of `inference_config`.

        Raises:
            VidsimError: files are missing or damaged, or flags contradict each other.
        """

    @abstractmethod
    def predict(self, model: "LoadedModel", job: Job, part: slice) -> dict[str, np.ndarray]:
        """Some of a job's predictions, by the names in `arrays`; each (K, ...) float32 or integer.

        They depend on nothing but the weights and the examples of the part: an inference that was
        killed goes on with the next part.

        Args:
            model: of one checkpoint.
            job: of `Predictions.jobs`.
            part: which of its ids.
        """

    def columns(self, model: "LoadedModel") -> dict[str, np.ndarray]:
        """What every file of predictions has once besides, by name: what its columns mean.

        Args:
            model: of one checkpoint.
        """
        return {}

    @abstractmethod
    def check_ensemble(self, common: Common) -> None:
        """Sees to it that nothing is in the way of the blend's result.

        Raises:
            VidsimError: a file that is no result of this task.
        """

    @abstractmethod
    def ensemble(self, common: Common, config: Any) -> None:
        """Blends what inference left into the task's result, and reports what it is worth.

        Args:
            common: folders, --recipes, --folds.
            config: of `ensemble_config`.

        Raises:
            VidsimError: predictions are missing or are not of these runs and data.
        """
