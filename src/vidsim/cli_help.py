"""The help of a command: its flags, what they mean and what they are without being named.

It is read off the configurations: a flag's meaning is the text below its field, its default is that
of the recipes that were asked for.
"""

import ast
import dataclasses
import functools
import inspect
import itertools
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vidsim.cli_flags import metavar
from vidsim.config_fields import Config, Kind, flag, leaves

OFTEN = (
    "pretrain_model_dir",
    "batch_size",
    "total_steps",
    "epochs",
    "lr",
    "bert_lr",
    "dtype_policy",
    "devices",
    "tag_weight",
    "similarity_weight",
    "kl_weight",
    "contrastive_weight",
    "mlm_weight",
)
"""Flags of training that `--help` shows; `--help-all` has the others too."""
_TITLES = {"model": "model", "pretrain": "pretraining", "finetune": "finetuning"}
_WIDTH, _COLUMN = 80, 25


@dataclass(frozen=True)
class _Row:
    """One flag: what it means, and its value for each of the recipes that have it."""

    name: str
    kind: Kind
    text: str
    group: str
    values: dict[str, Any]


def help_text(
    command: str,
    summary: str,
    common: Config,
    variants: Mapping[str, Mapping[str, Config]],
    all_: bool,
) -> str:
    """The help of a command, at most 80 columns wide.

    Args:
        command: its name.
        summary: what it does.
        common: the common options.
        variants: the command's own configurations, by part, for every recipe; for a command that
            has no recipes, for one that is called "".
        all_: whether flags that are seldom needed are shown too.
    """
    used = [row for row in _rows(common) if not row.kind.used_by or command in row.kind.used_by]
    own = _merged(variants)
    often = (
        [row for row in own if row.name in OFTEN]
        if len(variants) > 1 or "" not in variants
        else own
    )
    shown = own if all_ else sorted(often, key=lambda row: _rank(row.name))
    lines = [f"usage: vidsim {command} [FLAG VALUE]...", "", *textwrap.wrap(summary, _WIDTH)]
    if "" not in variants:
        named, size = getattr(common, "recipes", "all"), getattr(common, "size", "base")
        lines += textwrap.wrap(f"Defaults are those of --recipes {named} --size {size}.", _WIDTH)
    for group, rows in _grouped(used + shown, all_):
        lines += ["", f"{group.capitalize()}:"] if all_ else [""]
        for row in rows:
            lines += _lines(row, len(variants), all_)
    if len(shown) < len(own):
        lines += ["", f"{len(own) - len(shown)} more flags: vidsim {command} --help-all"]
    return "\n".join(lines) + "\n"


def _rank(name: str) -> int:
    return OFTEN.index(name) if name in OFTEN else len(OFTEN)


def _grouped(rows: list[_Row], all_: bool) -> Iterator[tuple[str, list[_Row]]]:
    if not all_:
        yield "", rows
        return
    for group in dict.fromkeys(row.group for row in rows):
        yield group, [row for row in rows if row.group == group]


def _rows(config: Config, recipe: str = "", part: str = "common options") -> list[_Row]:
    found = []
    groups = {id(owner): title for owner, title in _titles(config, part)}
    for owner, name, kind, value in leaves(config):
        if kind.type is not None:
            text = " ".join(docs(type(owner)).get(name, "").split())
            found.append(_Row(name, kind, text, groups[id(owner)], {recipe: value}))
    return found


def _titles(config: Config, title: str) -> Iterator[tuple[Config, str]]:
    """Every configuration within one, with a title for its flags."""
    yield config, title
    for item in dataclasses.fields(config):  # pyright: ignore
        value = getattr(config, item.name)
        if isinstance(value, Config):
            yield from _titles(value, f"{title}, {item.name.replace('_', ' ')}")


def _merged(variants: Mapping[str, Mapping[str, Config]]) -> list[_Row]:
    """The flags of all recipes, each once."""
    found: dict[str, _Row] = {}
    for recipe, parts in variants.items():
        for part, config in parts.items():
            for row in _rows(config, recipe, _TITLES.get(part, "options")):
                if row.name in found:
                    found[row.name].values.update(row.values)
                else:
                    found[row.name] = row
    return list(found.values())


def _lines(row: _Row, recipes: int, all_: bool) -> list[str]:
    option = flag(row.name)
    if row.kind.type is bool:
        option = f"--[no-]{option[2:]}" if all_ or True in row.values.values() else option
    else:
        option += f" {metavar(row.kind)}"
    if row.kind.alias:
        option += f", {row.kind.alias}"
    text = row.text if all_ else _first_sentence(row.text)
    notes = [_defaults(row)]
    if all_ and row.kind.range:
        notes.append(f"from {row.kind.range}")
    if "" not in row.values and len(row.values) < recipes:
        notes.append(f"only {', '.join(row.values)}")
    notes = [note for note in notes if note]
    if notes:
        text += f" [{'; '.join(notes)}]"
    wrapped = textwrap.wrap(text, _WIDTH - _COLUMN) or [""]
    if len(option) + 4 <= _COLUMN:
        first = [f"  {option:<{_COLUMN - 2}}{wrapped[0]}"]
        wrapped = wrapped[1:]
    else:
        first = textwrap.wrap(
            f"  {option}", _WIDTH, subsequent_indent="    ", drop_whitespace=False
        )
    return first + [" " * _COLUMN + line for line in wrapped]


def _first_sentence(text: str) -> str:
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _defaults(row: _Row) -> str:
    """The value without the flag; where recipes differ, who has which."""
    groups: dict[str, list[str]] = {}
    for recipe, value in row.values.items():
        groups.setdefault(_worded(value), []).append(recipe)
    if set(groups) == {""}:
        return ""
    (first, _), *others = sorted(groups.items(), key=lambda item: -len(item[1]))
    text = f"default {first or 'none'}"
    return text + "".join(f"; {value or 'none'} for {', '.join(who)}" for value, who in others)


def _worded(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else str(value)


@functools.cache
def docs(cls: type) -> dict[str, str]:
    """The text below each field of a class, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        body = _bodies(base.__module__).get(base.__qualname__.rpartition(".")[2], [])
        for field, below in itertools.pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                found[field.target.id] = below.value.value
    return found


@functools.cache
def _bodies(module: str) -> dict[str, list[ast.stmt]]:
    """The classes of a module, as they are written."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, TypeError, OSError):  # typed into an interpreter
        return {}
    return {node.name: node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
