"""What makes two runs the same: records of every format against the flags of today."""

import dataclasses

from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig
from vidsim.training.run_identity import config_differences, make_identity, recorded_fields


def test_the_first_format_is_read():
    """A record without a number: data as a list, flags that are no part of the identity now."""
    before = {"recipe": "mix", "model": {"width": 64}, "seed": 42, "encoder": None}
    flags = {"batch_size": 128, "print_freq": 20, "savedmodel_path": None}
    old = before | {"pretrain": flags, "data": ["v", "r", "l", "t"]}
    data = {"videos": "v", "rated_videos": "r", "ratings": "l", "tags": "t"}
    now = make_identity({"pretrain": PretrainConfig()}, **(before | {"data": data}))
    assert now.differences(recorded_fields(old)) == []
    now = make_identity(
        {"pretrain": PretrainConfig(batch_size=64)}, **(before | {"data": data | {"tags": "u"}})
    )
    differing = now.differences(recorded_fields(old))
    assert sorted(differing) == ["batch_size: 128 -> 64", "data.tags: t -> u"]
    finetuned = before | {"finetune": flags, "fold": 3, "data": ["a", "b", "v", "t"]}
    data = {"train_pairs": "a", "val_pairs": "b", "videos": ["v"], "tags": "t"}
    now = make_identity({"finetune": FinetuneConfig()}, **(before | {"fold": 3, "data": data}))
    now = dataclasses.replace(now, fields=now.fields | {"vocabulary": None})
    assert now.differences(recorded_fields(finetuned)) == []


def test_configurations_are_compared_field_by_field():
    usual, other = PretrainConfig(), FinetuneConfig()
    assert config_differences(usual, PretrainConfig(print_freq=1)) == []
    assert config_differences(usual, PretrainConfig(batch_size=64)) == ["batch_size: 128 -> 64"]
    assert config_differences(usual, other) == [f"family: {usual} -> {other}"]
