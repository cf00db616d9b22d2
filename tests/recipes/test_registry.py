"""--recipes: names, lists and files of one's own."""

import pytest

from vidsim.errors import VidsimError
from vidsim.recipes import registry
from vidsim.recipes.registry import RECIPES

OWN = """
from vidsim.recipes import uniter

def recipe():
    return uniter.recipe().but(model={"positions": "rotary"}, finetune={"total_steps": 7})
"""


@pytest.fixture
def own(tmp_path):
    def write(text=OWN, name="my_recipe.py"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_all():
    assert registry.names("all") == registry.names(" all ") == list(RECIPES)
    assert [recipe.name for recipe in registry.load("all", "base")] == list(RECIPES)


def test_a_list_in_its_own_order(own):
    path = own()
    asked = f"uniter, {path} ,mix"
    assert registry.names(asked) == ["uniter", "my_recipe", "mix"]
    assert [recipe.name for recipe in registry.load(asked, "base")] == [
        "uniter",
        "my_recipe",
        "mix",
    ]


def test_an_own_recipe_takes_its_files_name_and_the_size(own):
    (base,) = registry.load(own(), "base")
    assert (base.model.positions, base.finetune.total_steps) == ("rotary", 7)
    (tiny,) = registry.load(own(), "tiny")
    assert (tiny.name, tiny.model.positions) == ("my_recipe", "rotary")
    assert tiny.model.encoder_width < base.model.encoder_width


@pytest.mark.parametrize("recipes", ["mix,towers", "mix.py", "no/such/recipe.py"])
def test_neither_name_nor_file(recipes):
    word = recipes.rpartition(",")[2]
    with pytest.raises(VidsimError, match=f"'{word}' is neither a recipe .mix, mix_asl, .* nor"):
        registry.names(recipes)
    with pytest.raises(VidsimError, match="is neither a recipe"):
        registry.load(recipes, "base")


def test_named_twice(own):
    for recipes in ("mix,uniter,mix", f"mix,{own(name='mix.py')}"):
        with pytest.raises(VidsimError, match="mix stands there twice"):
            registry.names(recipes)


def test_a_file_without_recipe(own):
    with pytest.raises(VidsimError, match=r"my_recipe\.py: a recipe file defines recipe\(\)"):
        registry.load(own("x = 1"), "base")


def test_an_unknown_size():
    with pytest.raises(VidsimError, match="--size huge: accepted are tiny, small, base"):
        registry.load("mix", "huge")
