"""The recipes by name. A new recipe is one file beside this one and its name here."""

import importlib
import re
from pathlib import Path

from vidsim.config import Size
from vidsim.errors import VidsimError
from vidsim.recipes.recipe import Recipe
from vidsim.recipes.recipe_file import load_module, recipe_of
from vidsim.recipes.sizes import fill_size, loading

CHALLENGE = ("mix", "mix_asl", "mix_roformer", "uniter", "uniter_asl", "uniter_roformer")
"""The six of the challenge's fourth place."""
OTHERS: tuple[str, ...] = ("videobert", "lxmert", "albef", "actbert", "winner")
"""Those of the other published systems."""
RECIPES = (*CHALLENGE, *OTHERS)
_LISTS = {"challenge": CHALLENGE, "all": CHALLENGE, "every": RECIPES}
_RESERVED = ("all", "none", "every", "challenge", "ensemble")  # they mean something else somewhere


def names(recipes: str) -> list[str]:
    """Turns ``--recipes`` into names: those of RECIPES, or stems of recipe files.

    Raises:
        VidsimError: neither a recipe nor a file, a file whose name is not accepted, or one named
            twice.
    """
    found = [_name(word) for word in _words(recipes)]
    for number, name in enumerate(found):
        # a file system may take two spellings for one folder
        if name.casefold() in (other.casefold() for other in found[:number]):
            raise VidsimError(f"--recipes {recipes}: {name} stands there twice")
    return found


def words(recipes: str) -> dict[str, str]:
    """What ``--recipes`` takes for each name: the name itself, or the path of its recipe file."""
    return dict(zip(names(recipes), _words(recipes), strict=True))


def load(recipes: str, size: Size, pretrained: bool = False) -> list[Recipe]:
    """The recipes named by ``--recipes``, at that size, with or without a pretrained encoder.

    A size's numbers win over those of the published recipes, and lose to those of a recipe file.

    Raises:
        VidsimError: as `names` does, or a recipe file that cannot be loaded: its line, and why.
    """
    names(recipes)
    with loading(size, pretrained):
        return [_load_one(word, size, pretrained) for word in _words(recipes)]


def load_files(recipes: str) -> None:
    """Runs the recipe files among ``--recipes``, so that the families they define are known.

    Raises:
        VidsimError: a file that cannot be loaded.
    """
    for word in words(recipes).values():
        if word not in RECIPES:
            load_module(Path(word))


def load_recipe_file(path: str | Path) -> Recipe:
    """Loads a recipe file: its recipe, at the published size, and the families that it defines.

    `Embedder.from_checkpoint` needs that before it reads a checkpoint of such a family.

    Raises:
        VidsimError: no such file, a name that is not accepted, or why it cannot be loaded.
    """
    (recipe,) = load(str(path), "base")
    return recipe


def _words(recipes: str) -> list[str]:
    if recipes.strip() in _LISTS:
        return list(_LISTS[recipes.strip()])
    words = [word.strip() for word in recipes.split(",")]
    if not all(words):
        raise VidsimError(f"--recipes {recipes!r}: an empty name; accepted are {_accepted()}")
    return words


def _accepted() -> str:
    return (
        "every, challenge (the six of the challenge's fourth place; all means the same), or a "
        f"comma list of recipes ({', '.join(RECIPES)}) and recipe files (.py)"
    )


def _name(word: str) -> str:
    if word in RECIPES:
        return word
    if not word.endswith(".py"):
        raise VidsimError(
            f"--recipes: {word!r} is neither a recipe ({', '.join(RECIPES)}) nor a .py file"
        )
    if not Path(word).is_file():
        raise VidsimError(f"--recipes: {word!r} is no file; accepted are {_accepted()}")
    name = Path(word).stem
    if name.casefold() in (*RECIPES, *_RESERVED):
        raise VidsimError(
            f"--recipes {word}: a recipe is called as its file, and {name} is the name of "
            "something else here; rename the file"
        )
    if not re.fullmatch(r"\w[\w-]*", name):
        raise VidsimError(
            f"--recipes {word}: a recipe is called as its file, and {name!r} cannot be the name of "
            "a folder of runs; accepted are letters, digits, _ and -, no - first: rename the file"
        )
    return name


def _load_one(word: str, size: Size, pretrained: bool) -> Recipe:
    if word in RECIPES:
        return importlib.import_module(f"vidsim.recipes.{word}").recipe()
    recipe = recipe_of(load_module(Path(word)), Path(word)).but(name=_name(word))
    return fill_size(recipe, size, pretrained)
