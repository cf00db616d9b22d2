"""A recipe: everything that makes one model of the ensemble, as data."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from vidsim.config_fields import Origin, origins, override, renamed
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


@dataclass(frozen=True)
class PretrainConfig(RunConfig):
    """Flags of `python pretrain`. A new objective is one line, here or in a subclass."""

    annotation_file: Path | None = None
    """Rated pairs for validation; default: pairwise/label.tsv in the data folder."""
    tag: TagConfig = field(default_factory=TagConfig)
    branch_kl: BranchKLConfig = field(default_factory=BranchKLConfig)
    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    masked_lm: MaskedLMConfig = field(default_factory=MaskedLMConfig)


@dataclass(frozen=True)
class FinetuneConfig(RunConfig):
    """Flags of `python finetune`. A new objective is one line, here or in a subclass."""

    pretrain_model_dir: str | None = None
    """Folder of the pretraining run to start from, or none for random weights; default: under the
    save folder."""
    similarity: SimilarityConfig = field(default_factory=SimilarityConfig)
    tag: TagConfig = field(default_factory=lambda: renamed(TagConfig(tag_branches=False), {}))


@dataclass(frozen=True)
class Recipe:
    """One model: its shape, its pretraining, its finetuning.

    Args:
        name: the name of its folders under --save-dir.
        model: the family's configuration.
        pretrain: flags of `python pretrain`.
        finetune: flags of `python finetune`.
        file: the recipe file it is from; None for those of this package.
    """

    name: str
    model: BackboneConfig
    pretrain: PretrainConfig
    finetune: FinetuneConfig
    file: Path | None = field(default=None, compare=False)

    def but(
        self,
        name: str | None = None,
        model: Mapping[str, Any] | None = None,
        pretrain: Mapping[str, Any] | None = None,
        finetune: Mapping[str, Any] | None = None,
        origin: Origin = "recipe",
    ) -> Self:
        """The same recipe with other values for some fields, each named as its flag.

        Args:
            name: another name.
            model: values by field of the family's configuration.
            pretrain: values by field of pretraining, or of a configuration within it.
            finetune: the same for finetuning.
            origin: what `origin` says of these values.

        Raises:
            VidsimError: no field of that name.
        """
        return dataclasses.replace(
            self,
            name=name or self.name,
            model=override(self.model, dict(model or {}), origin),
            pretrain=override(self.pretrain, dict(pretrain or {}), origin),
            finetune=override(self.finetune, dict(finetune or {}), origin),
        )

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


_PARTS = {"model": BackboneConfig, "pretrain": PretrainConfig, "finetune": FinetuneConfig}


def objectives(config: RunConfig) -> list[ObjectiveConfig]:
    """The objectives named in a stage's configuration, in order."""
    values = [getattr(config, item.name) for item in dataclasses.fields(config)]
    return [value for value in values if isinstance(value, ObjectiveConfig)]
