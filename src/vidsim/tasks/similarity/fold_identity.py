"""What makes folds the same folds: the flags that cut them, and the content of their data."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from vidsim.records.fold_manifest import FoldManifest
from vidsim.records.folds import PUBLISHED_SEED
from vidsim.tasks.similarity.configs import WriteTfrecordConfig
from vidsim.training.run_identity import Identity

_NO_PART = ("make_sample",)
_OLD_SEED = "seed"  # cut the folds before --fold-seed did


def fold_identity(
    config: WriteTfrecordConfig, fold_seed: int, digests: Mapping[str, str]
) -> Identity:
    """The identity of the folds that would be made now.

    Args:
        config: flags of the stage.
        fold_seed: decides which pairs come into which fold.
        digests: file name to the hash of its content.
    """
    defaults = fold_configuration(WriteTfrecordConfig(), PUBLISHED_SEED)
    now = _named(fold_configuration(config, fold_seed), digests)
    return Identity(now, _named(defaults, dict.fromkeys(digests)))


def recorded_folds(manifest: FoldManifest) -> dict[str, Any]:
    """The fields of a `fold_identity` in a manifest, of today's vidsim or an older one."""
    stated = dict(manifest.configuration)
    if _OLD_SEED in stated:
        stated.setdefault("fold_seed", stated.pop(_OLD_SEED))
    return _named(stated, manifest.digests)


def fold_configuration(config: WriteTfrecordConfig, fold_seed: int) -> dict[str, Any]:
    """The flags that decide on the folds, as the manifest has them."""
    names = [field.name for field in fields(config) if field.name not in _NO_PART]
    return {**{name: getattr(config, name) for name in names}, "fold_seed": fold_seed}


def _named(flags: Mapping[str, Any], digests: Mapping[str, str | None]) -> dict[str, Any]:
    """Fields by the names that a user knows."""
    named = {
        f"--{name.replace('_', '-')}": "not given" if value is None else value
        for name, value in flags.items()
    }
    return named | {f"digest of {name}": digest for name, digest in digests.items()}
