"""Every recipe at three sizes: the same code, smaller numbers.

A size replaces what a recipe of this package says, and loses to what a recipe file says. So while
files are loaded at a size, the published recipes that they start from are already of that size.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TypeAlias

from vidsim.config import Size
from vidsim.config_fields import Config, leaves, override
from vidsim.errors import VidsimError
from vidsim.recipes.recipe import Recipe, TaskConfig

_MODEL: dict[str, dict[str, Any]] = {
    "tiny": {
        "encoder_layers": 1,
        "encoder_width": 64,
        "encoder_heads": 2,
        "encoder_intermediate": 128,
        "vocab_size": 1000,
        "max_frames": 8,
        "vlad_cluster_size": 8,
        "vlad_groups": 4,
        "text_pooling": "mean",
        "vlad_expansion": 0.125,
        "vlad_hidden_size": 64,
    },
    "small": {
        "encoder_layers": 1,
        "encoder_width": 256,
        "encoder_heads": 4,
        "encoder_intermediate": 256,
        "encoder_dropout": 0.2,
        "feature_dropout": 0.5,
        "vocab_size": 8000,
        "text_pooling": "mean",
        "vlad_cluster_size": 8,
        "vlad_groups": 4,
        "vlad_expansion": 0.5,
        "vlad_hidden_size": 256,
    },
}
_TINY = {
    "batch_size": 32,
    "print_freq": 20,
    "eval_freq": 20,
    "warmup_steps": 5,
    "bert_warmup_steps": 5,
    "lr": 2e-3,
    "bert_lr": 2e-3,
}
_SMALL = {  # few videos: what is hidden in training keeps them from being learned by heart
    "batch_size": 64,
    "print_freq": 50,
    "eval_freq": 50,
    "warmup_steps": 20,
    "bert_warmup_steps": 20,
    "word_dropout": 0.2,
    "frame_dropout": 0.1,
}
_PRETRAIN: dict[str, dict[str, Any]] = {
    "tiny": _TINY | {"total_steps": 60},
    "small": _SMALL
    | {"total_steps": 300, "eval_freq": 150, "lr": 2e-3, "bert_lr": 1e-3, "modality_dropout": 0.5},
}
_FINETUNE: dict[str, dict[str, Any]] = {
    "tiny": _TINY | {"total_steps": 40},
    "small": _SMALL
    | {
        "total_steps": 300,
        "eval_freq": 75,
        "lr": 1e-3,
        "bert_lr": 1e-3,
        "modality_dropout": 0.2,
        "tag_weight": 0.1,
    },
}
_PRETRAINED = {"bert_lr": 1e-4}  # an encoder that knows words is tuned and not taught
_PRETRAINED_MODEL = {"frame_skip": True}
# an encoder that brings no head for masked words; one that does was not measured
_PRETRAINED_PRETRAIN = _PRETRAINED | {"mlm_weight": 0.0}

SMALL_FROZEN: Mapping[str, Any] = MappingProxyType(
    {
        "eval_freq": 20,
        "lr": 1e-3,
        "bert_lr": 0.0,
        "schedule": "cosine",
        "word_dropout": 0.0,
        "frame_dropout": 0.3,
    }
)
"""Of tasks at size small whose pretrained encoder is not trained: what they have in common.
Measured on MSR-VTT with all-MiniLM-L6-v2, see docs/results.md."""

_LOADING: ContextVar[tuple[Size, bool]] = ContextVar("_LOADING", default=("base", False))


@contextlib.contextmanager
def loading(size: Size, pretrained: bool = False) -> Iterator[None]:
    """Within it, the recipes of this package are of that size."""
    token = _LOADING.set((size, pretrained))
    try:
        yield
    finally:
        _LOADING.reset(token)


_Make: TypeAlias = Callable[[], Recipe]
Sizes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""By size, then by "model", "pretrain", "finetune" or "tasks", as `Recipe.but` takes them. What
stands under "small, pretrained" wins over "small" where there is a --bert-dir."""


def published(sizes: Sizes = MappingProxyType({})) -> Callable[[_Make], _Make]:
    """Marks a recipe of this package: the size that is being loaded wins over its numbers.

    Args:
        sizes: what the recipe itself says of a size; it wins over what all recipes share.
    """

    def mark(make: _Make) -> _Make:
        @functools.wraps(make)
        def recipe() -> Recipe:
            size, pretrained = _LOADING.get()
            made = at_size(make(), size, pretrained)
            for name in (size, *([f"{size}, pretrained"] if pretrained else [])):
                own = sizes.get(name, {})
                made = made.but(
                    model=own.get("model"),
                    pretrain=own.get("pretrain"),
                    finetune=own.get("finetune"),
                    tasks=own.get("tasks"),
                    origin="size",
                )
            return made

        return recipe

    return mark


def at_size(recipe: Recipe, size: Size, pretrained: bool = False) -> Recipe:
    """The recipe with all of the size's own fields; "base" is the recipe as it stands.

    A family takes only the fields that it has.

    Args:
        recipe: at the published size.
        size: tiny, small or base.
        pretrained: whether the text encoder comes from --bert-dir.
    """
    return _sized(recipe, size, pretrained, lambda owner, name: True)


def fill_size(recipe: Recipe, size: Size, pretrained: bool = False) -> Recipe:
    """The same for fields that nobody named: what a recipe file says, stays."""
    return _sized(recipe, size, pretrained, lambda owner, name: owner.origin(name) == "default")


def task_at_size(
    config: TaskConfig,
    size: Size,
    pretrained: bool = False,
    own: Mapping[str, Any] = MappingProxyType({}),
) -> TaskConfig:
    """The default configuration of a task other than similarity at a size; as `at_size`.

    Args:
        config: at the published size.
        size: tiny, small or base.
        pretrained: whether the text encoder comes from --bert-dir.
        own: values of the task for that size, by field.
    """
    shared = {} if size == "base" else _FINETUNE[size] | (_PRETRAINED if pretrained else {})
    names = {name for _, name, _, _ in leaves(config)}
    values = {n: v for n, v in shared.items() if n in names} | dict(own)
    return override(config, values, "size")


def _sized(
    recipe: Recipe, size: Size, pretrained: bool, wanted: Callable[[Config, str], bool]
) -> Recipe:
    if size == "base":
        return recipe
    if size not in _MODEL:
        raise VidsimError(f"--size {size}: accepted are {', '.join([*_MODEL, 'base'])}")
    model, pretrain, finetune = _MODEL[size], _PRETRAIN[size], _FINETUNE[size]
    if pretrained:
        model = model | _PRETRAINED_MODEL
        pretrain, finetune = pretrain | _PRETRAINED_PRETRAIN, finetune | _PRETRAINED

    def those(config: Config, values: dict[str, Any]) -> dict[str, Any]:
        names = {name for owner, name, _, _ in leaves(config) if wanted(owner, name)}
        return {name: value for name, value in values.items() if name in names}

    return recipe.but(
        model=those(recipe.model, model),
        pretrain=those(recipe.pretrain, pretrain),
        finetune=those(recipe.finetune, finetune),
        origin="size",
    )
