"""A recipe: everything that makes one model of the ensemble, as data."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from vidsim.errors import VidsimError
from vidsim.models.configs import BackboneConfig
from vidsim.objectives.configs import (
    BranchKLConfig,
    ContrastiveConfig,
    MaskedLMConfig,
    ObjectiveConfig,
    SimilarityConfig,
    TagConfig,
)
from vidsim.training.configs import RunConfig

_T = TypeVar("_T")


@dataclass(frozen=True)
class PretrainConfig(RunConfig):
    """Flags of `python pretrain`. A new objective is one line here."""

    annotation_file: Path | None = None
    """Rated pairs for validation; default: pairwise/label.tsv in the data folder."""
    tag: TagConfig = field(default_factory=TagConfig)
    branch_kl: BranchKLConfig = field(default_factory=BranchKLConfig)
    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    masked_lm: MaskedLMConfig = field(default_factory=MaskedLMConfig)


@dataclass(frozen=True)
class FinetuneConfig(RunConfig):
    """Flags of `python finetune`. A new objective is one line here."""

    pretrain_model_dir: str | None = None
    """Folder of the pretraining run to start from, or none for random weights; default: under the
    save folder."""
    similarity: SimilarityConfig = field(default_factory=SimilarityConfig)
    tag: TagConfig = field(default_factory=lambda: TagConfig(tag_branches=False))


@dataclass(frozen=True)
class Recipe:
    """One model: its shape, its pretraining, its finetuning."""

    name: str
    model: BackboneConfig
    pretrain: PretrainConfig
    finetune: FinetuneConfig

    def but(
        self,
        name: str | None = None,
        model: Mapping[str, Any] | None = None,
        pretrain: Mapping[str, Any] | None = None,
        finetune: Mapping[str, Any] | None = None,
    ) -> Self:
        """The same recipe with other values for some fields, each named as its flag."""
        return dataclasses.replace(
            self,
            name=name or self.name,
            model=override(self.model, model or {}),
            pretrain=override(self.pretrain, pretrain or {}),
            finetune=override(self.finetune, finetune or {}),
        )


def override(config: _T, changes: Mapping[str, Any]) -> _T:
    """Replaces fields by name, wherever in the nested dataclass they stand.

    Raises:
        VidsimError: no field of that name.
    """
    unknown = set(changes) - set(_leaf_names(config))
    if unknown:
        raise VidsimError(
            f"{type(config).__name__} has no field {', '.join(sorted(unknown))}; it has "
            f"{', '.join(sorted(_leaf_names(config)))}"
        )
    return _replaced(config, changes)


def objectives(config: RunConfig) -> list[ObjectiveConfig]:
    """The objectives named in a stage's configuration, in order."""
    values = [getattr(config, item.name) for item in dataclasses.fields(config)]
    return [value for value in values if isinstance(value, ObjectiveConfig)]


def _leaf_names(config: Any) -> list[str]:
    names = []
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        names += _leaf_names(value) if dataclasses.is_dataclass(value) else [item.name]
    return names


def _replaced(config: Any, changes: Mapping[str, Any]) -> Any:
    values = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            values[item.name] = _replaced(value, changes)
        elif item.name in changes:
            values[item.name] = changes[item.name]
    return dataclasses.replace(config, **values)
