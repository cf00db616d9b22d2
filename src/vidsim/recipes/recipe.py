"""A recipe: everything that makes one model of the ensemble, as data."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from vidsim.config_fields import Origin, origins, override, renamed
from vidsim.errors import VidsimError
from vidsim.models.configs import BackboneConfig
from vidsim.objectives.configs import (
    BranchKLConfig,
    ContrastiveConfig,
    MaskedActionsConfig,
    MaskedFramesConfig,
    MaskedLMConfig,
    MatchConfig,
    ObjectiveConfig,
    SimilarityConfig,
    TagConfig,
)
from vidsim.training.configs import RunConfig

if TYPE_CHECKING:
    from vidsim.models.backbone import Backbone
    from vidsim.models.task_model import TaskModel
    from vidsim.objectives.objective import Objective
    from vidsim.preprocess.corruption import Corruption


@dataclass(frozen=True)
class PretrainConfig(RunConfig):
    """Flags of `python pretrain`. A new objective is one line, here or in a subclass."""

    annotation_file: Path | None = None
    """Rated pairs for validation; default: pairwise/label.tsv in the data folder."""
    tag: TagConfig = field(default_factory=TagConfig)
    branch_kl: BranchKLConfig = field(default_factory=BranchKLConfig)
    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    masked_lm: MaskedLMConfig = field(default_factory=MaskedLMConfig)
    match: MatchConfig = field(default_factory=MatchConfig)
    masked_frames: MaskedFramesConfig = field(default_factory=MaskedFramesConfig)
    masked_actions: MaskedActionsConfig = field(default_factory=MaskedActionsConfig)

    @property
    def corruption(self) -> "Corruption":
        """What the objectives want hidden or exchanged in a batch."""
        from vidsim.preprocess.corruption import Corruption  # with it comes NumPy

        return Corruption(
            words=self.masked_lm.share,
            frames=self.masked_frames.share,
            frames_hidden=self.masked_frames.masked_frames_hidden,
            actions=self.masked_actions.share,
            actions_hidden=self.masked_actions.masked_actions_hidden,
            mismatch=self.match.mismatch,
            words_of_mismatched=self.match.match_words,
        )

    def task_model(self, backbone: "Backbone", objectives: "Sequence[Objective]") -> "TaskModel":
        """The model that is pretrained; one with forward passes of its own is a subclass's."""
        from vidsim.models.pretrainer import Pretrainer

        return Pretrainer(backbone, objectives)


@dataclass(frozen=True)
class TaskConfig(RunConfig):
    """Flags of `python finetune` for any task. A task's own configuration is a subclass."""

    pretrain_model_dir: str | None = None
    """Folder of the pretraining run to start from, or none for random weights; default: under the
    save folder."""


@dataclass(frozen=True)
class FinetuneConfig(TaskConfig):
    """Flags of `python finetune` for similarity. A new objective is a line, also in a subclass."""

    similarity: SimilarityConfig = field(default_factory=SimilarityConfig)
    tag: TagConfig = field(default_factory=lambda: renamed(TagConfig(tag_branches=False), {}))
    rank_labels: bool = False
    """Train on the ratings' ranks among a fold's training pairs, from 0 to 1, as the challenge's
    winner did. Validation looks at ranks in any case."""


@dataclass(frozen=True)
class Recipe:
    """One model: its shape, its pretraining, its finetuning.

    Args:
        name: the name of its folders under --save-dir.
        model: the family's configuration.
        pretrain: flags of `python pretrain`.
        finetune: flags of `python finetune`: those of similarity, and, once `for_task` has been
            called, of the task that was asked for.
        tasks: for other tasks by name, either a whole configuration or values by field that replace
            some of the task's own defaults.
        file: the recipe file it is from; None for those of this package.
    """

    name: str
    model: BackboneConfig
    pretrain: PretrainConfig
    finetune: TaskConfig
    file: Path | None = field(default=None, compare=False)
    tasks: Mapping[str, TaskConfig | Mapping[str, Any]] = field(default_factory=dict)

    def but(
        self,
        name: str | None = None,
        model: Mapping[str, Any] | None = None,
        pretrain: Mapping[str, Any] | None = None,
        finetune: Mapping[str, Any] | None = None,
        origin: Origin = "recipe",
        tasks: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """The same recipe with other values for some fields, each named as its flag.

        Args:
            name: another name.
            model: values by field of the family's configuration.
            pretrain: values by field of pretraining, or of a configuration within it.
            finetune: the same for finetuning.
            origin: what `origin` says of these values.
            tasks: the same for the finetuning of other tasks, by the task's name.

        Raises:
            VidsimError: no field of that name.
        """
        changed = tasks or {}
        return dataclasses.replace(
            self,
            name=name or self.name,
            model=override(self.model, dict(model or {}), origin),
            pretrain=override(self.pretrain, dict(pretrain or {}), origin),
            finetune=override(self.finetune, dict(finetune or {}), origin),
            tasks={**self.tasks, **{name: self._changed(name, of) for name, of in changed.items()}},
        )

    def for_task(self, name: str, default: TaskConfig) -> Self:
        """The recipe with the task's configuration in the place of `finetune`.

        Args:
            name: of a task other than similarity.
            default: the task's own configuration, which counts where the recipe says nothing.

        Raises:
            VidsimError: the recipe names a field that the task's configuration has not, or has a
                configuration of another kind for it.
        """
        own = self.tasks.get(name, {})
        if isinstance(own, Mapping):
            return dataclasses.replace(self, finetune=override(default, dict(own)))
        if not isinstance(own, type(default)):
            raise VidsimError(
                f"recipe {self.name}: its tasks[{name!r}] is {own!r:.80}; expected is a "
                f"{type(default).__name__}, or values by field"
            )
        return dataclasses.replace(self, finetune=own)

    def _changed(self, task: str, changes: Mapping[str, Any]) -> TaskConfig | Mapping[str, Any]:
        own = self.tasks.get(task, {})
        return {**own, **changes} if isinstance(own, Mapping) else override(own, dict(changes))

    @property
    def word(self) -> str:
        """What ``--recipes`` takes for this recipe."""
        return self.name if self.file is None else str(self.file)

    @property
    def origin(self) -> dict[str, Origin]:
        """Where the value of each field came from.

        Returns:
            "default", "recipe", "size" or "flag" by part and field, as "pretrain.lr".
        """
        chosen = {part: origins(getattr(self, part)) for part in _PARTS}
        return {f"{part}.{name}": by for part, of in chosen.items() for name, by in of.items()}

    def check(self, stage: Literal["pretrain", "finetune"]) -> None:
        """Compares every value that a stage uses with what is accepted.

        Raises:
            VidsimError: what is not, and what is accepted.
        """
        self.check_parts()
        self.model.check_fields(f"recipe {self.name}: ")
        getattr(self, stage).check_fields(f"recipe {self.name}, {stage}: ")

    def check_parts(self) -> None:
        """Asks for a configuration of the right kind in each part.

        Raises:
            VidsimError: what stands there instead.
        """
        for part, kind in _PARTS.items():
            value = getattr(self, part)
            if not isinstance(value, kind):
                raise VidsimError(
                    f"recipe {self.name}: its {part} is {value!r}; expected is a {kind.__name__}"
                )


_PARTS = {"model": BackboneConfig, "pretrain": PretrainConfig, "finetune": TaskConfig}


def objectives(config: RunConfig) -> list[ObjectiveConfig]:
    """The objectives named in a stage's configuration, in order."""
    values = [getattr(config, item.name) for item in dataclasses.fields(config)]
    return [value for value in values if isinstance(value, ObjectiveConfig)]


_C = TypeVar("_C", bound=RunConfig)
_OF_TAGS = {  # the weight of each loss that reads tags
    TagConfig: "tag_weight",
    BranchKLConfig: "branch_kl_weight",
    MaskedActionsConfig: "masked_actions_weight",
}


def without_tags(config: _C, actions: bool = False) -> tuple[_C, list[str]]:
    """The configuration without the losses that read tags, for data that have none.

    Args:
        config: of a stage.
        actions: whether the data have labels of actions, so that tags are not needed for those.

    Returns:
        the configuration with their weights at 0, and the names of those that had one.
    """
    found: list[str] = []
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        weight = _OF_TAGS.get(type(value))
        if weight and value.weight and not (actions and isinstance(value, MaskedActionsConfig)):
            found.append(f"{item.name.replace('_', ' ')} loss")
            config = dataclasses.replace(config, **{item.name: override(value, {weight: 0.0})})
    return config, found
