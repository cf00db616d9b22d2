"""Recipe files: a user's own Python; what is wrong in it is said by file and line."""

import contextlib
import dataclasses
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from vidsim.errors import VidsimError
from vidsim.recipes.recipe import Recipe

_EXPECTED = "a recipe file defines recipe() -> vidsim.recipes.recipe.Recipe, without arguments"


def load_module(path: Path) -> ModuleType:
    """Runs a recipe file, once in a process as long as its text stays the same.

    It may import modules that lie beside it, where no installed one has their name.

    Raises:
        VidsimError: it cannot be read, or its file, line and error.
    """
    try:
        path, text = path.resolve(), path.read_bytes()
    except OSError as error:
        raise VidsimError(f"{path}: {error.strerror}") from error
    # A name that neither another file nor another text has: classes in it are known by it.
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape") + text).hexdigest()
    name = f"vidsim_recipe_{path.stem}_{digest[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise VidsimError(f"{path}: not a Python file that can be loaded")
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[name] = module  # before it is run: dataclasses look for their module there
    try:
        with _told(path):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def recipe_of(module: ModuleType, path: Path) -> Recipe:
    """Calls the file's recipe().

    Args:
        module: the file, run.
        path: the file as it was named.

    Raises:
        VidsimError: it has no recipe(), or that fails or returns something else.
    """
    make = getattr(module, "recipe", None)
    if make is None:
        raise VidsimError(f"{path}: there is no recipe in it; {_EXPECTED}")
    if not callable(make):
        raise VidsimError(f"{path}: its recipe is {make!r}; {_EXPECTED}")
    with _told(path):
        recipe = make()
    if not isinstance(recipe, Recipe):
        raise VidsimError(f"{path}: its recipe() returned {recipe!r}; {_EXPECTED}")
    recipe = dataclasses.replace(recipe, file=path)
    with _told(path):
        recipe.check_parts()
    return recipe


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns any error of a recipe file into a message with the line it came from."""
    try:
        yield
    except (Exception, SystemExit) as error:
        line = _line(path, error)
        place = str(path) if line is None else f"{path}, line {line}"
        what = str(error) if isinstance(error, VidsimError) else _in_words(error)
        raise VidsimError(f"{place}: {what}") from error


def _line(path: Path, error: BaseException) -> int | None:
    """The last line of the file on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(path.resolve()):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno for f in frames if Path(f.filename).resolve() == path.resolve()]
    return lines[-1] if lines else None


def _in_words(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
