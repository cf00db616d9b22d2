"""What makes two runs the same run: a list of fields with their defaults, and hashes of contents.

How often a run prints, validates or saves, where its files lie and how their paths are spelled are
no part of it. A field that an older record lacks has its default, so that a flag which a later
release adds makes no finished run stale.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 2
"""Of the records that are written now. Format 1, which had no number, is read too."""

NOT_IDENTITY = frozenset(
    (
        # how often something is printed, validated or saved, and on how many devices
        "print_freq",
        "eval_freq",
        "val_batch_size",
        "save_seconds",
        "devices",
        # where something lies; what lies there counts by its hash
        "train_record_pattern",
        "val_record_pattern",
        "multi_label_file",
        "annotation_file",
        "pretrain_model_dir",
        "savedmodel_path",
    )
)
RETIRED: dict[str, Any] = {}
"""Flags that were in records once and are gone, with the value that the code now always has."""

_UNKNOWN = object()
_SHOWN = 24  # characters of a value


@dataclass(frozen=True)
class Identity:
    """A run's identity as plain JSON data.

    Attributes:
        fields: names to values; flags by section ("model", "pretrain", "finetune"), hashes under
            "data", "encoder", "pretrained".
        defaults: of the flags, in the same sections.
        unknown: fields that cannot be told now; they differ from nothing.
    """

    fields: dict[str, Any]
    defaults: dict[str, Any] = dataclasses.field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    def differences(self, before: Mapping[str, Any]) -> list[str]:
        """What differs from the fields of an earlier record, each as "field: before -> now"."""
        before = {name: value for name, value in before.items() if name not in self.unknown}
        return differences(before, self.fields, self.defaults)


def make_identity(configs: Mapping[str, Any], **others: Any) -> Identity:
    """The identity of a run.

    Args:
        configs: section ("model", "pretrain" or "finetune") to the dataclass with its flags.
        others: recipe, seed, fold and hashes.
    """
    flags = {section: _plain(dataclasses.asdict(config)) for section, config in configs.items()}
    defaults = {section: _plain(_defaults(type(config))) for section, config in configs.items()}
    return Identity(json.loads(json.dumps(others | flags, default=str)), defaults)


def other_flags(config: Any) -> dict[str, Any]:
    """The flags of a dataclass that are no part of the identity, to be written beside it.

    But for where the run itself lies: that is where its record is.
    """
    names = [item.name for item in dataclasses.fields(config) if item.name in NOT_IDENTITY]
    return {name: getattr(config, name) for name in names if name != "savedmodel_path"}


def recorded_fields(content: Any) -> dict[str, Any]:
    """The identity in a record of any format.

    Args:
        content: the record, as JSON gave it.

    Raises:
        ValueError: it is no record of a run, or of a later format.
    """
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    number = content.get("format")
    if number is None:
        return _first_format(content)
    if not isinstance(number, int) or not 2 <= number <= FORMAT:
        raise ValueError(
            f"its format is {number!r}, and this version of vidsim reads up to {FORMAT}"
        )
    if not isinstance(content.get("identity"), dict):
        raise ValueError("it has no identity")
    return content["identity"]


def differences(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    prefix: str = "",
) -> list[str]:
    """Each difference of two nested dicts as "field: before -> now".

    Args:
        before: of a record. A field that it lacks has its default; one without a default was not
            recorded then, and differs from nothing.
        now: what was asked for.
        defaults: of the flags, nested as they are.
        prefix: goes before the names of fields that are no flags.
    """
    lines: list[str] = []
    defaults = defaults or {}
    for name in dict.fromkeys([*now, *before]):
        if name in NOT_IDENTITY:
            continue
        default = defaults.get(name, _UNKNOWN)
        old, new = before.get(name, default), now.get(name, RETIRED.get(name, _UNKNOWN))
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            inner = default if isinstance(default, Mapping) else {}
            lines += differences(old, new, inner, "" if inner else f"{prefix}{name}.")
        elif old is not _UNKNOWN and old != new:
            shown = "unknown to this version" if new is _UNKNOWN else _shown(new)
            lines.append(f"{prefix}{name}: {_shown(old)} -> {shown}")
    return lines


def config_differences(before: Any, now: Any) -> list[str]:
    """Each field in which two dataclasses differ, as "field: before -> now"."""
    if type(before) is not type(now):
        return [f"family: {getattr(before, 'family', before)} -> {getattr(now, 'family', now)}"]
    old, new = dataclasses.asdict(before), dataclasses.asdict(now)
    return differences(json.loads(json.dumps(old, default=str)), _plain(new))


def _first_format(content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record without a number, in today's form.

    Data were a bare list then: of pretraining videos, rated videos, ratings and tags; of finetuning
    the two parts of the fold, the tables of their videos, and tags.
    """
    if not {"recipe", "model", "seed", "data"} <= content.keys():
        raise ValueError("it is no record of a vidsim run")
    fields, data = dict(content), content["data"]
    if not isinstance(data, list) or len(data) < 4:
        raise ValueError("its hashes of data are not as they were written")
    if "pretrain" in content:
        names = ("videos", "rated_videos", "ratings", "tags")
        fields["data"] = dict(zip(names, data, strict=True))
    else:
        train, val, *videos, tags = data
        fields["data"] = {"train_pairs": train, "val_pairs": val, "videos": videos, "tags": tags}
    return fields


def _plain(flags: dict[str, Any]) -> dict[str, Any]:
    """Flags as JSON has them, without those that are no part of an identity."""
    kept = {
        name: _plain(value) if isinstance(value, dict) else value
        for name, value in flags.items()
        if name not in NOT_IDENTITY
    }
    return json.loads(json.dumps(kept, default=str))


def _defaults(kind: type) -> dict[str, Any]:
    values = {}
    for item in dataclasses.fields(kind):
        if item.default is not dataclasses.MISSING:
            value = item.default
        elif item.default_factory is not dataclasses.MISSING:
            value = item.default_factory()
        else:
            continue
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = dataclasses.asdict(value)
        values[item.name] = value
    return values


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]}..."
