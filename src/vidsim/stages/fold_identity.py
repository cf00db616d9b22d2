"""What makes folds the same folds: the flags that cut them, and the content of their data."""

from dataclasses import dataclass, fields
from typing import Any

from vidsim.records.fold_manifest import FoldManifest

_NO_PART = ("make_sample",)
_OLD_SEED = "seed"  # cut the folds before --fold-seed did
_SHOWN = 12  # characters of a digest


@dataclass(frozen=True)
class FoldIdentity:
    """What folds are made with; a manifest with the same is of the same folds.

    Attributes:
        configuration: flag -> value, as `fold_configuration` has them.
        defaults: the same flags where none is given. A flag that a manifest lacks was not there
            yet when it was written, and had its default.
        digests: file name -> hash of its content.
    """

    configuration: dict[str, Any]
    defaults: dict[str, Any]
    digests: dict[str, str]

    def differences(self, manifest: FoldManifest) -> list[str]:
        """What of folds that are there is another than here, a line each; none for the same."""
        stated = dict(manifest.configuration)
        if _OLD_SEED in stated:
            stated.setdefault("fold_seed", stated.pop(_OLD_SEED))
        before = self.defaults | stated
        lines = [
            f"--{name.replace('_', '-')}: {_value(before.get(name))} -> {_value(value)}"
            for name, value in self.configuration.items()
            if before.get(name) != value
        ]
        lines += [
            f"{name}: {value!r:.80}, a setting that this vidsim does not know"
            for name, value in before.items()
            if name not in self.configuration
        ]
        return lines + [
            f"{name}: another content, digest "
            f"{str(manifest.digests.get(name))[:_SHOWN]} -> {digest[:_SHOWN]}"
            for name, digest in self.digests.items()
            if manifest.digests.get(name) != digest
        ]


def fold_configuration(config: Any, fold_seed: int) -> dict[str, Any]:
    """The flags that decide on the folds: fields of a WriteTfrecordConfig, and the seed."""
    names = [field.name for field in fields(config) if field.name not in _NO_PART]
    return {**{name: getattr(config, name) for name in names}, "fold_seed": fold_seed}


def _value(value: Any) -> str:
    return "not given" if value is None else str(value)
