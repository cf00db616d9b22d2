"""What a configuration is: a frozen dataclass whose fields say which values they accept.

A field's annotation is all that the command line, its help and `Config.check_fields` go by, so that
a new flag is one line with its range. A configuration also remembers where its values came from.
"""

import dataclasses
import functools
import math
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as read_annotations

from vidsim.errors import VidsimError

Origin = Literal["default", "size", "recipe", "flag"]
_WORDS = {"default": "its default", "size": "from --size", "recipe": "from the recipe"}
ORIGINS: tuple[Origin, ...] = ("default", "size", "recipe", "flag")  # what is later wins


@dataclass(frozen=True)
class Range:
    """The numbers that a field accepts: from ``least`` to ``most``, both included.

    Args:
        least: smallest number.
        most: largest number.
        above: whether ``least`` itself is left out.
        below: whether ``most`` itself is left out.
    """

    least: float
    most: float
    above: bool = False
    below: bool = False

    def __contains__(self, number: float) -> bool:
        if (number == self.least and self.above) or (number == self.most and self.below):
            return False
        return self.least <= number <= self.most

    def __str__(self) -> str:
        least, most = f"{self.least:.12g}", f"{self.most:.12g}"
        excluded = [number for number, out in ((least, self.above), (most, self.below)) if out]
        return f"{least} to {most}" + "".join(f", {number} itself excluded" for number in excluded)


@dataclass(frozen=True)
class UsedBy:
    """The commands that use a field; every command accepts it all the same."""

    commands: tuple[str, ...]


@dataclass(frozen=True)
class Alias:
    """Another spelling of a field's flag, as ``--ids``."""

    flag: str


Steps = Annotated[int, Range(1, 2**31 - 1)]
Count = Annotated[int, Range(1, 2**20)]
Layers = Annotated[int, Range(1, 1024)]
Seed = Annotated[int, Range(0, 2**32 - 1)]
Rate = Annotated[float, Range(0, 1, below=True)]  # of dropout: something must be left
Share = Annotated[float, Range(0, 1)]
Weight = Annotated[float, Range(0, 1e6)]
Temperature = Annotated[float, Range(0, 1e3, above=True)]
LearningRate = Annotated[float, Range(0, 1e3)]


@dataclass(frozen=True)
class Kind:
    """What an annotation says of a field's values."""

    type: type | None  # int, float, bool, str or Path; None: nothing that a flag could give
    optional: bool = False
    choices: tuple[str, ...] = ()
    range: Range | None = None
    alias: str | None = None
    used_by: tuple[str, ...] | None = None  # None: by every command

    @property
    def accepted(self) -> str:
        """In words, for help and messages."""
        if self.choices:
            return ", ".join(self.choices)
        words = {int: "whole numbers", float: "numbers", bool: "True and False", Path: "a path"}
        text = words.get(self.type, "a text") if self.type else "anything"
        return f"{text} from {self.range}" if self.range else text

    def accepts(self, value: Any) -> bool:
        """Whether a field may hold the value."""
        if self.type is None or (value is None and self.optional):
            return True
        if self.type in (int, float):
            return self._accepts_number(value)
        if self.choices:
            return isinstance(value, str) and value in self.choices
        return isinstance(value, (Path, str) if self.type is Path else self.type)

    def _accepts_number(self, value: Any) -> bool:
        right = (int,) if self.type is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, right):
            return False
        if isinstance(value, float) and not math.isfinite(value):
            return False
        return self.range is None or value in self.range


def kind_of(annotation: Any) -> Kind:
    """Reads a field's annotation."""
    notes: list[Any] = []
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            notes += more
        elif get_origin(annotation) in (Union, types.UnionType):
            inner = [item for item in get_args(annotation) if item is not type(None)]
            optional = True
            annotation = inner[0] if len(inner) == 1 else None
        else:
            break
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    plain = annotation if annotation in (int, float, bool, str, Path) else None
    return Kind(
        str if choices else plain,
        optional,
        choices,
        next((note for note in notes if isinstance(note, Range)), None),
        next((note.flag for note in notes if isinstance(note, Alias)), None),
        next((note.commands for note in notes if isinstance(note, UsedBy)), None),
    )


@functools.cache
def kinds(cls: type) -> dict[str, Kind]:
    """The kind of every field of a dataclass that is not a dataclass itself, by name."""
    hints = read_annotations(cls, include_extras=True)
    names = [item.name for item in dataclasses.fields(cls)]
    return {n: kind_of(hints[n]) for n in names if not dataclasses.is_dataclass(hints[n])}


def flag(name: str) -> str:
    """A field's flag: batch_size -> --batch-size."""
    return "--" + name.replace("_", "-")


class Config:
    """Base of every dataclass whose fields are flags."""

    _named: ClassVar[dict[str, Origin]]  # an instance's own: the fields that somebody named

    def __new__(cls, *args: Any, **kwargs: Any):
        self = super().__new__(cls)
        names = [item.name for item in dataclasses.fields(cls)][: len(args)]  # pyright: ignore
        object.__setattr__(self, "_named", dict.fromkeys([*names, *kwargs], "recipe"))
        return self

    def origin(self, name: str) -> Origin:
        """Where a field's value came from."""
        return self._named.get(name, "default")

    def check_fields(self, where: str = "") -> None:
        """Compares every field, nested ones too, with what it accepts.

        Args:
            where: the beginning of the message.

        Raises:
            VidsimError: each value that is not accepted and each contradiction, and what is.
        """
        problems = [
            f"{flag(name)} {given(value)}: accepted are {kind.accepted}"
            for owner, name, kind, value in leaves(self)
            if not kind.accepts(value)
        ]
        if not problems:  # a contradiction is looked for among numbers only
            problems = [line for part in parts(self) for line in part.contradictions()]
        if problems:
            raise VidsimError(where + "\n  ".join(problems))

    def contradictions(self) -> Iterator[str]:
        """What is wrong with values that are each accepted; a configuration adds its own."""
        return iter(())

    def said(self, name: str) -> str:
        """A field as in a message: its flag, its value, and who chose it if no flag did."""
        text = f"{flag(name)} {given(getattr(self, name))}"
        origin = self.origin(name)
        return text if origin == "flag" else f"{text} ({_WORDS[origin]})"


def given(value: Any) -> str:
    """A value as it would be typed; anything but numbers in quotes."""
    if type(value) in (int, float, bool):
        return str(value)
    return repr(str(value) if isinstance(value, Path) else value)


def parts(config: Any) -> Iterator[Any]:
    """A configuration and those within it."""
    yield config
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if isinstance(value, Config):
            yield from parts(value)


def leaves(config: Config) -> Iterator[tuple[Config, str, Kind, Any]]:
    """Every field that is no configuration itself: its owner, name, kind and value."""
    for part in parts(config):
        for name, kind in kinds(type(part)).items():
            yield part, name, kind, getattr(part, name)


def origins(config: Config) -> dict[str, Origin]:
    """Where the value of every field came from, by name."""
    return {name: owner.origin(name) for owner, name, _, _ in leaves(config)}


_C = TypeVar("_C", bound=Config)


def override(config: _C, changes: dict[str, Any], origin: Origin = "recipe") -> _C:
    """Replaces fields by name, wherever in the nested configuration they stand.

    Args:
        config: what is changed; it stays as it is.
        changes: values by field.
        origin: who wants them.

    Raises:
        VidsimError: no field of that name.
    """
    known = {name for _, name, _, _ in leaves(config)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise VidsimError(
            f"{type(config).__name__} has no field {', '.join(unknown)}; it has "
            f"{', '.join(sorted(known))}"
        )
    return _replaced(config, changes, origin)


def _replaced(config: _C, changes: dict[str, Any], origin: Origin) -> _C:
    values, named = {}, dict(config._named)
    for item in dataclasses.fields(config):  # pyright: ignore
        value = getattr(config, item.name)
        if isinstance(value, Config):
            values[item.name] = _replaced(value, changes, origin)
        elif item.name in changes:
            values[item.name] = changes[item.name]
            named[item.name] = origin
    return renamed(dataclasses.replace(config, **values), named)  # pyright: ignore


def renamed(config: _C, named: dict[str, Origin]) -> _C:
    """Sets who named the fields of a configuration that was made just now."""
    object.__setattr__(config, "_named", named)
    return config
