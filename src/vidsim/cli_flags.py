"""Flags to values: what the fields of configurations accept, read by argparse."""

import argparse
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from vidsim.config_fields import Kind, flag


class UsageError(Exception):
    """A command line that cannot be read: an unknown flag, or a word where a number is needed."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        said = message.removeprefix("argument ")
        raise UsageError(
            said.replace("ignored explicit argument", "it takes no value, but there is")
        )


def parse(words: Sequence[str], fields: Mapping[str, Kind]) -> tuple[dict[str, Any], list[str]]:
    """Reads the flags of some fields.

    Args:
        words: flags with their values, hyphens or underscores in their names.
        fields: what each field accepts, by name.

    Returns:
        values of the fields that the words name, and the words that belong to none of them.

    Raises:
        UsageError: a flag without its value, or with one that is not of its type.
    """
    parser = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for name, kind in fields.items():
        if kind.type is None:
            continue
        if kind.type is bool:
            parser.add_argument(flag(name), dest=name, action=argparse.BooleanOptionalAction)
            continue
        flags = [flag(name), kind.alias] if kind.alias else [flag(name)]
        parser.add_argument(*flags, dest=name, type=_reader(kind), metavar=metavar(kind))
    values, rest = parser.parse_known_args(_joined(list(words), options(fields)))
    return vars(values), rest


def hyphens(words: Sequence[str]) -> list[str]:
    """The words with hyphens in the names of flags; values stay as they are."""
    found = []
    for word in words:
        name, equals, value = word.partition("=")
        found.append(name.replace("_", "-") + equals + value if word.startswith("--") else word)
    return found


def options(fields: Mapping[str, Kind]) -> dict[str, bool]:
    """Every flag of the fields, and whether a value comes after it."""
    found = {}
    for name, kind in fields.items():
        found[flag(name)] = kind.type is not bool
        if kind.type is bool:
            found["--no-" + flag(name)[2:]] = False
        if kind.alias:
            found[kind.alias] = True
    return found


def metavar(kind: Kind) -> str:
    """What stands for a flag's value in the help."""
    if kind.choices:
        return "|".join(kind.choices)
    return {int: "N", float: "X", Path: "PATH"}.get(kind.type or str, "TEXT")


def unknown(words: Iterable[str], known: Iterable[str]) -> str:
    """A sentence on words that are no flags, with the nearest that are."""
    known, lines, before = list(known), [], ""
    for word in words:
        its_value = before.startswith("--") and "=" not in before and not word.startswith("--")
        before = word
        if its_value:  # of the unknown flag before it
            continue
        name = word.partition("=")[0]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        hint = f"; the nearest are {', '.join(near)}" if near else ""
        what = "unknown flag" if word.startswith("-") else "a word that belongs to no flag:"
        lines.append(f"{what} {name if word.startswith('-') else repr(word)}{hint}")
    return "\n  ".join(lines)


def _joined(words: list[str], takes_value: Mapping[str, bool]) -> list[str]:
    """``--lr -1e-3`` as ``--lr=-1e-3``: argparse would take the number for a flag."""
    found: list[str] = []
    for word in words:
        if found and takes_value.get(found[-1]) and word[:1] == "-" and word[:2] != "--":
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def _reader(kind: Kind):
    """Text to a value. Whether a number is in its range is asked later, and of Python's callers."""

    def read(text: str) -> Any:
        if kind.optional and text == "None":
            return None
        try:
            # a shell leaves ~ as it is in --flag=~/folder
            value = (kind.type or str)(os.path.expanduser(text) if kind.type is Path else text)
        except (ValueError, OverflowError):
            value = None
        if value is None or (kind.choices and value not in kind.choices):
            raise argparse.ArgumentTypeError(f"{text!r}: accepted are {kind.accepted}")
        return value

    return read
