"""From the words of a command line to the command's configurations, all of them checked."""

from typing import TYPE_CHECKING, Any

from vidsim import cli_flags
from vidsim.cli_flags import UsageError
from vidsim.cli_help import help_text
from vidsim.config import Common
from vidsim.config_fields import Config, Kind, leaves, override
from vidsim.recipes import registry
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig

if TYPE_CHECKING:
    from vidsim.tasks.task import Task

TRAINING = ("pretrain", "finetune")
HELP = ("-h", "--help", "--help-all")


def common_of(words: list[str]) -> Common:
    """The common options among a command's flags, whatever else is there."""
    common = Common()
    given, _ = cli_flags.parse(cli_flags.hyphens(words), _fields(common))
    return override(common, given, "flag")


def task_of(words: list[str]) -> "Task":
    """What --task names, whatever else is there."""
    from vidsim.tasks.registry import find_task  # brings numpy

    return find_task(common_of([word for word in words if word not in HELP]))


Parts = dict[str, Config]


def configurations(command: str, summary: str, words: list[str], variants: dict[str, Parts]) -> Any:
    """The common options and, for every variant, its configurations with the flags' values.

    Returns:
        (common, {variant: {part: configuration}}), all checked but the recipes'; None where the
        help was asked for and has been printed.

    Raises:
        UsageError: flags that are unknown or of the wrong type.
        VidsimError: values that are not accepted.
    """
    if any(word in HELP for word in words):
        asked = common_of([word for word in words if word not in HELP])
        everything = "--help-all" in words
        print(help_text(command, summary, asked, variants, everything), end="")
        return None
    words, common = cli_flags.hyphens(words), Common()
    if any(word == "" or (word.startswith("--") and word.endswith("=")) for word in words):
        raise UsageError("a flag has an empty value; leave the flag out for its default")
    known = {name: _fields(common, *parts.values()) for name, parts in variants.items()}
    changed: dict[str, Parts] = {}
    for variant, parts in variants.items():
        given, rest = cli_flags.parse(words, known[variant])
        if rest:
            raise UsageError(_unknown(command, rest, variant, known))
        common = _changed(common, given)
        changed[variant] = {part: _changed(config, given) for part, config in parts.items()}
    common.check_fields()
    if "" in changed:
        for config in changed[""].values():
            config.check_fields()
    return common, changed


def _fields(*configs: Config) -> dict[str, Kind]:
    return {name: kind for config in configs for _, name, kind, _ in leaves(config)}


def _changed(config: Any, given: dict[str, Any]) -> Any:
    own = _fields(config)
    return override(config, {k: v for k, v in given.items() if k in own}, "flag")


def _unknown(command: str, rest: list[str], variant: str, known: dict[str, dict[str, Kind]]) -> str:
    """Why words cannot be used: perhaps another recipe or another command has them."""
    word = rest[0].partition("=")[0]
    having = [name for name, fields in known.items() if word in cli_flags.options(fields)]
    if having:
        return (
            f"{word} is a flag of {', '.join(having)}, and {variant} has none such; name the "
            f"recipes that have it, as --recipes {','.join(having)}"
        )
    if command in TRAINING:
        loaded = registry.load("all", Common().size)
        having = [
            recipe.name
            for recipe in loaded
            if word in cli_flags.options(_fields(recipe.model, getattr(recipe, command)))
        ]
        if having:
            return f"{word} is a flag of {', '.join(having)}, which --recipes does not name"
    for other in TRAINING:
        fields = _fields({"pretrain": PretrainConfig, "finetune": FinetuneConfig}[other]())
        if other != command and word in cli_flags.options(fields):
            return f"{word} is a flag of {other}"
    return cli_flags.unknown(rest, cli_flags.options(known[variant]))
