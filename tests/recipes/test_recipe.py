"""Changing fields of a recipe by name."""

import dataclasses
import itertools

import pytest

from vidsim.config_fields import override
from vidsim.errors import VidsimError
from vidsim.recipes import mix, uniter
from vidsim.recipes.recipe import objectives


def test_override_finds_nested_fields():
    before = mix.recipe().finetune
    after = override(before, {"lr": 1.0, "kl_weight": 2.0, "batch_size": 3})
    assert (after.optimizer.lr, after.similarity.kl_weight, after.batch_size) == (1, 2, 3)
    back = {"lr": 5e-4, "kl_weight": before.similarity.kl_weight, "batch_size": 128}
    assert override(after, back) == before
    assert before == mix.recipe().finetune


def test_an_unknown_field():
    with pytest.raises(VidsimError) as error:
        uniter.recipe().but(model={"positions": "rotary", "vlad_groups": 2, "wings": 4})
    text = str(error.value)
    assert text.startswith("UniterConfig has no field vlad_groups, wings; it has ")
    assert "uniter_pooling" in text


def test_no_two_fields_of_a_door_share_a_name():
    """Flags have no prefixes: of two fields with one name, one could not be reached."""

    def leaves(config):
        values = [(item.name, getattr(config, item.name)) for item in dataclasses.fields(config)]
        nested = [leaves(v) if dataclasses.is_dataclass(v) else [name] for name, v in values]
        return list(itertools.chain(*nested))

    for recipe in (mix.recipe(), uniter.recipe()):
        for stage in (recipe.pretrain, recipe.finetune):
            names = leaves(recipe.model) + leaves(stage)
            assert sorted(names) == sorted(set(names))


def test_objectives_in_order():
    kinds = [type(config).__name__ for config in objectives(mix.recipe().pretrain)]
    more = ["MaskedLMConfig", "MatchConfig", "MaskedFramesConfig"]
    assert kinds == ["TagConfig", "BranchKLConfig", "ContrastiveConfig", *more]
    kinds = [type(config).__name__ for config in objectives(mix.recipe().finetune)]
    assert kinds == ["SimilarityConfig", "TagConfig"]


@pytest.mark.parametrize(
    ("total", "epochs", "per_epoch", "steps"), [(100, 20, 3, 60), (100, 20, 9, 100), (7, 1, 7, 7)]
)
def test_steps(total, epochs, per_epoch, steps):
    changed = override(mix.recipe().finetune, {"total_steps": total, "epochs": epochs})
    assert changed.steps(per_epoch) == steps
