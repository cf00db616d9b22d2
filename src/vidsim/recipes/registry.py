"""The recipes by name. A new recipe is one file beside this one and its name here."""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from vidsim.config import Size
from vidsim.errors import VidsimError

if TYPE_CHECKING:
    from vidsim.recipes.recipe import Recipe

RECIPES = ("mix", "mix_asl", "mix_roformer", "uniter", "uniter_asl", "uniter_roformer")


def names(recipes: str) -> list[str]:
    """Turns ``--recipes`` into names: those of RECIPES, or stems of recipe files.

    Raises:
        VidsimError: neither a recipe nor a file, or one named twice.
    """
    words = list(RECIPES) if recipes.strip() == "all" else _words(recipes)
    found = [_name(word) for word in words]
    for name in found:
        if found.count(name) > 1:
            raise VidsimError(f"--recipes {recipes}: {name} stands there twice")
    return found


def load(recipes: str, size: Size, pretrained: bool = False) -> "list[Recipe]":
    """The recipes named by ``--recipes``, at that size, with or without a pretrained encoder."""
    from vidsim.recipes.sizes import at_size

    words = list(RECIPES) if recipes.strip() == "all" else _words(recipes)
    return [at_size(_load_one(word), size, pretrained) for word in words]


def _words(recipes: str) -> list[str]:
    return [word.strip() for word in recipes.split(",") if word.strip()]


def _name(word: str) -> str:
    if word in RECIPES:
        return word
    if word.endswith(".py") and Path(word).is_file():
        return Path(word).stem
    raise VidsimError(
        f"--recipes: {word!r} is neither a recipe ({', '.join(RECIPES)}) nor a .py file"
    )


def _load_one(word: str) -> "Recipe":
    name = _name(word)
    if word in RECIPES:
        return importlib.import_module(f"vidsim.recipes.{word}").recipe()
    spec = importlib.util.spec_from_file_location(f"vidsim_recipe_{name}", word)
    if spec is None or spec.loader is None:
        raise VidsimError(f"{word}: not a Python file that can be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "recipe"):
        raise VidsimError(f"{word}: a recipe file defines recipe() -> vidsim.recipes.recipe.Recipe")
    return module.recipe().but(name=name)
