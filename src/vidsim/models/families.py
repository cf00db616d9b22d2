"""The families of models by name. Those of this package are in `configs`; users add their own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vidsim.errors import VidsimError

if TYPE_CHECKING:
    from vidsim.models.configs import BackboneConfig

FAMILIES: "dict[str, type[BackboneConfig]]" = {}
"""The configuration of every family, by name; defining one puts it here."""


def register(cls: "type[BackboneConfig]") -> None:
    """Puts a family's configuration into FAMILIES.

    Raises:
        VidsimError: another one has that name.
    """
    known = FAMILIES.get(cls.family)
    if known is not None and _source(known) != _source(cls):
        raise VidsimError(
            f"{cls.__name__}: the family {cls.family!r} is {known.__name__} in {_source(known)} "
            "already; give it another name"
        )
    FAMILIES[cls.family] = cls


def _source(cls: type) -> str:
    """The file that defines a class."""
    return getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__


def family_config(family: str, defined_in: str | None = None) -> "type[BackboneConfig]":
    """The configuration of a family by its name.

    Args:
        family: its name, as in a checkpoint.
        defined_in: the recipe file that defined it when the checkpoint was written.

    Raises:
        VidsimError: no such family, and how one of the user's own gets known.
    """
    if family not in FAMILIES:
        file = defined_in or "FILE.py"
        raise VidsimError(
            f"unknown family {family!r}; known are {', '.join(FAMILIES)}. A family of one's own "
            f"is known once the recipe file that defines it is loaded: --recipes {file}, or "
            f"vidsim.load_recipe_file({file!r})"
        )
    return FAMILIES[family]


def family_file(config: "BackboneConfig") -> str | None:
    """The name of the file that defines a configuration's family; None for this package's own."""
    source = _source(type(config))
    return None if type(config).__module__.startswith("vidsim.") else Path(source).name
