"""What makes two runs the same: records of every format against the flags of today."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from vidsim.stages.run_identity import config_differences, make_identity, recorded_fields


@dataclass(frozen=True)
class Loss:
    tag_weight: float = 1.0


@dataclass(frozen=True)
class Flags:
    batch_size: int = 128
    print_freq: int = 100
    savedmodel_path: Path | None = None
    tag: Loss = field(default_factory=Loss)


@dataclass(frozen=True)
class LaterFlags(Flags):
    """The next release has a flag more, and one more of them in a group of its own."""

    label_smoothing: float = 0.0
    ema: Loss = field(default_factory=lambda: Loss(0.5))


def test_the_first_format_is_read():
    """A record without a number: data as a list, flags that are no part of the identity now."""
    before = {"recipe": "mix", "model": {"width": 64}, "seed": 42, "encoder": None}
    flags = {"batch_size": 128, "print_freq": 20, "savedmodel_path": None, "tag": {}}
    old = before | {"pretrain": flags, "data": ["v", "r", "l", "t"]}
    data = {"videos": "v", "rated_videos": "r", "ratings": "l", "tags": "t"}
    now = make_identity({"pretrain": LaterFlags()}, **(before | {"data": data}))
    assert now.differences(recorded_fields(old)) == []
    now = make_identity({"pretrain": Flags(64)}, **(before | {"data": data | {"tags": "u"}}))
    differing = now.differences(recorded_fields(old))
    assert sorted(differing) == ["batch_size: 128 -> 64", "data.tags: t -> u"]
    finetuned = before | {"finetune": flags, "fold": 3, "data": ["a", "b", "v", "t"]}
    data = {"train_pairs": "a", "val_pairs": "b", "videos": ["v"], "tags": "t"}
    now = make_identity({"finetune": Flags()}, **(before | {"fold": 3, "data": data}))
    now = dataclasses.replace(now, fields=now.fields | {"vocabulary": None})
    assert now.differences(recorded_fields(finetuned)) == []


def test_configurations_are_compared_field_by_field():
    assert config_differences(Flags(), Flags(print_freq=1)) == []
    assert config_differences(Flags(), Flags(64)) == ["batch_size: 128 -> 64"]
    assert config_differences(Flags(), Loss()) == [f"family: {Flags()} -> {Loss()}"]
