"""The records of pretrainings and finetunings: where they lie, and what their results depend on.

Nothing here needs TensorFlow or Keras: what is done and what is to do is known before they load.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidsim.config import PUBLISHED_TASK, Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.recipes.recipe import PretrainConfig, Recipe, TaskConfig
from vidsim.records.video_table import VideoTable
from vidsim.stages.run_folders import (
    beside,
    finetune_folder,
    pretrain_folder,
    pretrained_checkpoint,
)
from vidsim.tasks.data_files import POINTWISE, open_tags, open_videos
from vidsim.tasks.folds import Folds
from vidsim.tasks.pretrain_validation import HeldOutLoss, PretrainValidation
from vidsim.tasks.registry import TASKS
from vidsim.tasks.task import Task
from vidsim.training.checkpoint import CONFIG, verified_description
from vidsim.training.run_identity import make_identity, other_flags
from vidsim.training.run_record import RunRecord

if TYPE_CHECKING:
    from vidsim.pretrained.encoder_folder import EncoderFolder


@dataclass(frozen=True)
class PretrainData:
    """What pretraining reads: videos to train on, what validates it, the tags."""

    videos: VideoTable
    validation: PretrainValidation
    tags: TagVocabulary

    @property
    def hashes(self) -> dict[str, str]:
        """Hashes of the contents, wherever the files lie."""
        videos, tags = self.videos.digest, self.tags.digest
        return {"videos": videos, **self.validation.hashes, "tags": tags}

    def training(self) -> VideoTable:
        """The videos less those that validate."""
        rows = self.validation.training_rows()
        return self.videos if rows is None else self.videos.take(rows)


class PretrainFiles:
    """Opens what pretrainings read; recipes that name the same files share them."""

    def __init__(self, common: Common):
        self._common = common
        self._opened: dict[tuple[Any, ...], PretrainData] = {}

    def open(self, config: PretrainConfig) -> PretrainData:
        """The data of one pretraining.

        Raises:
            VidsimError: a file is missing or damaged.
        """
        named = (config.train_record_pattern, config.val_record_pattern)
        key = (*named, config.annotation_file, config.multi_label_file, config.batch_size)
        if key not in self._opened:
            self._opened[key] = self._open(config)
        return self._opened[key]

    def _open(self, config: PretrainConfig) -> PretrainData:
        common = self._common
        marks = (task.pretrain_validation(common, config) for task in TASKS.values())
        validation = next((found for found in marks if found is not None), None)
        videos = open_videos(common, config.train_record_pattern, POINTWISE)
        tags = open_tags(common, config, videos)
        return PretrainData(videos, validation or HeldOutLoss(videos, config.batch_size), tags)


class FoldSources:
    """The folds that finetunings read; recipes that name the same files share them."""

    def __init__(self, common: Common, task: Task):
        self._common, self._task = common, task
        self._opened: dict[tuple[Any, ...], Folds] = {}

    def open(self, config: TaskConfig) -> Folds:
        """The folds of one recipe's finetunings.

        Raises:
            VidsimError: they are not written yet, or flags contradict each other.
        """
        key = self._task.fold_key(config)
        if key not in self._opened:
            self._opened[key] = self._task.open_folds(self._common, config)
        return self._opened[key]


def pretrain_record(
    common: Common,
    recipe: Recipe,
    data: PretrainData,
    encoder: "EncoderFolder | None",
    runs: int = 1,
) -> RunRecord:
    """The record of one recipe's pretraining.

    Args:
        common: folders, seed, --run-name and --redo.
        recipe: flags of model and pretraining.
        data: what it reads.
        encoder: the folder of --bert-dir for this recipe; None without it.
        runs: how many runs the command makes.
    """
    identity = make_identity(
        {"model": recipe.model, "pretrain": recipe.pretrain},
        recipe=recipe.name,
        seed=common.seed,
        encoder=encoder.digest if encoder else None,
        data=data.hashes,
    )
    return RunRecord(
        f"pretrain {common.run(recipe.name)}",
        pretrain_folder(common, recipe, runs),
        identity,
        _details(recipe, "pretrain", encoder),
        common.redo,
        beside(recipe.pretrain),
    )


def finished_pretraining(
    common: Common,
    recipe: Recipe,
    data: PretrainData,
    encoder: "EncoderFolder | None",
    runs: int = 1,
) -> Path | None:
    """The folder in which this very pretraining is finished; None where it is to be made.

    With --run-name that may be the unnamed one: finetuning starts from that.

    Raises:
        VidsimError: the run's own folder holds something else, and --redo is not given.
    """
    record = pretrain_record(common, recipe, data, encoder, runs)
    if record.is_done():
        return record.folder
    unnamed = replace(common, run_name=None, redo=True)
    beside_it = pretrain_record(unnamed, recipe, data, encoder)
    new = common.run_name is not None and not record.folder.exists()
    return beside_it.folder if new and beside_it.is_done() else None


class FinetuneRecords:
    """The records of one recipe's finetunings.

    Args:
        common: folders, seed, --run-name and --redo.
        recipe: flags of model and finetuning.
        source: the folds.
        encoder: the folder of --bert-dir for this recipe; None without it.
        runs: how many runs the command makes.

    Attributes:
        start: the pretrained checkpoint; None where weights are random or of --bert-dir.
        encoder: None also where there is a checkpoint, which has an encoder of its own.
        missing: why there is no pretrained checkpoint to start from, where there should be one.
            Runs that are finished do not need it any more.

    Raises:
        VidsimError: the pretrained checkpoint is damaged.
    """

    def __init__(
        self,
        common: Common,
        recipe: Recipe,
        source: Folds,
        encoder: "EncoderFolder | None",
        runs: int = 1,
    ):
        self._common, self._recipe, self._source, self._runs = common, recipe, source, runs
        self.start: Path | None = None
        self.missing: VidsimError | None = None
        try:
            self.start = pretrained_checkpoint(common, recipe)
        except VidsimError as error:
            if recipe.finetune.pretrain_model_dir is not None:
                raise  # a folder that was named now must be there
            self.missing = error
        self.encoder = None if self.start or self.missing else encoder
        if self.start is not None:
            verified_description(self.start)
        self._tags = open_tags(common, recipe.finetune).digest

    def folder(self, fold: int) -> Path:
        """The folder of one fold's run."""
        return finetune_folder(self._common, self._recipe, fold, self._runs)

    def of_fold(self, fold: int) -> RunRecord:
        """The record of one fold's finetuning; reads the fold's files."""
        common, recipe, start = self._common, self._recipe, self.start
        from_titles = not (start or self.encoder or self.missing)
        named = {} if common.task == PUBLISHED_TASK else {"task": common.task}
        identity = make_identity(
            {"model": recipe.model, "finetune": recipe.finetune},
            recipe=recipe.name,
            fold=fold,
            seed=common.seed,
            pretrained=file_digest(start / CONFIG) if start else "none",
            encoder=self.encoder.digest if self.encoder else None,
            vocabulary=titles_digest(self._source.titles()) if from_titles else None,
            data={**self._source.hashes(fold), "tags": self._tags},
            **named,
        )
        if self.missing:
            unknown = frozenset(("pretrained", "encoder", "vocabulary"))
            fields = {k: v for k, v in identity.fields.items() if k not in unknown}
            identity = replace(identity, fields=fields, unknown=unknown)
        return RunRecord(
            f"finetune {common.run(recipe.name)} fold {fold}",
            self.folder(fold),
            identity,
            _details(recipe, "finetune", self.encoder) | {"start": start},
            common.redo,
            beside(recipe.finetune),
        )


def titles_digest(titles: Sequence[str]) -> str:
    """sha256 (hex) of texts in their order."""
    sha = hashlib.sha256()
    for title in titles:
        sha.update(title.encode() + b"\0")
    return sha.hexdigest()


def _details(recipe: Recipe, stage: str, encoder: "EncoderFolder | None") -> dict[str, Any]:
    """What config.json says besides the identity: other flags, and who chose each value."""
    origin = {
        name.partition(".")[2]: by
        for name, by in recipe.origin.items()
        if name.partition(".")[0] in ("model", stage)
    }
    return {
        "other_flags": other_flags(getattr(recipe, stage)),
        "encoder": {"name": encoder.name, "revision": encoder.revision} if encoder else None,
        "origin": origin,
    }
