"""The command line: `vidsim <command>`, the same as `python pretrain` and the others.

A command's flags are the fields of its configurations. For those that train, these are the fields
of a recipe, so flags are read once for each recipe. All of them are checked before TensorFlow is
started or anything is written.
"""

import dataclasses
import difflib
import importlib
import io
import os
import platform
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from vidsim import cli_flags
from vidsim.cli_flags import UsageError
from vidsim.cli_help import help_text
from vidsim.config import Common
from vidsim.config_fields import Config, Kind, leaves, override
from vidsim.errors import VidsimError
from vidsim.provenance import installed_versions
from vidsim.recipes import registry
from vidsim.recipes.recipe import FinetuneConfig, PretrainConfig, Recipe
from vidsim.stages.convert_config import ConvertConfig
from vidsim.stages.embed_config import EmbedConfig
from vidsim.stages.extract_config import ExtractConfig
from vidsim.system_errors import remedy

if TYPE_CHECKING:
    from vidsim.tasks.configs import FoldConfig
    from vidsim.tasks.task import Task

STAGES = {
    "check": "Say all that is wrong in a data folder: vidsim check DIR.",
    "plan": "Say what run.sh would do: what is done, and what is to do.",
    "write_tfrecord": "Rated pairs and videos to folds of TFRecords.",
    "pretrain": "Pretrain every recipe's model on single videos.",
    "finetune": "Finetune every recipe on every fold's rated pairs.",
    "inference": "Embed the test videos with every model.",
    "ensemble": "Blend all embeddings into the submission and report.",
    "convert": "Own tables, features and ratings to a data folder.",
    "embed": "Embed any videos with any checkpoint, recipe or ensemble.",
    "extract": "Turn video files and pictures into features.",
}
_OWN: "dict[str, Callable[[Task], Config]]" = {
    "write_tfrecord": lambda task: task.fold_config(),
    "inference": lambda task: task.inference_config(),
    "ensemble": lambda task: task.ensemble_config(),
    "convert": lambda _: ConvertConfig(),
    "embed": lambda _: EmbedConfig(),
    "extract": lambda _: ExtractConfig(),
}
_TRAINING, _COMPUTING = ("pretrain", "finetune"), ("inference", "embed")
_HELP = ("-h", "--help", "--help-all")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: command and flags; default: the process's own.

    Returns:
        exit status: 0 done, 1 a mistake the message tells how to mend, 2 an unknown flag or
        command, or a flag's value of the wrong type.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's is something else
            # names of files and videos may have letters that a terminal does not
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    if not words or words[0] not in STAGES:
        return _without_command(words)
    command = words[0]
    try:
        if _COMMANDS[command](command, words[1:]) is False:
            return 1  # what is wrong has been printed
    except UsageError as error:
        return _refused(command, f"{error}; vidsim {command} --help-all has all flags", 2)
    except VidsimError as error:
        return _refused(command, str(error), 1)
    except OSError as error:
        if remedy(error) is None:
            raise
        return _refused(command, str(remedy(error)), 1)
    except KeyboardInterrupt as error:
        return _refused(command, str(error) or "interrupted", 130)
    return 0


def _refused(command: str, message: str, status: int) -> int:
    print(f"vidsim {command}: {message}", file=sys.stderr)
    return status


def _without_command(words: list[str]) -> int:
    """Says what is accepted; status 0 where that was the question."""
    usage = (
        "usage: vidsim COMMAND [FLAG VALUE]...\n"
        "       vidsim COMMAND --help has a command's flags; vidsim --version\n"
        + "".join(f"  {command:<15} {summary}\n" for command, summary in STAGES.items())
    )
    if words[:1] == ["--version"]:
        print(_version())
        return 0
    if words and words[0] in _HELP:
        print(usage, end="")
        return 0
    if words:
        near = difflib.get_close_matches(words[0], STAGES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        print(f"vidsim: {words[0]!r} is not a command{hint}", file=sys.stderr)
    print(usage, end="", file=sys.stderr)
    return 2


def _version() -> str:
    found = installed_versions()
    vidsim, *libraries = (
        f"{name} {found.get(name, 'not installed')}" for name in ("vidsim", "keras", "tensorflow")
    )
    return f"{vidsim} ({', '.join(libraries)}, Python {platform.python_version()})"


def _check(command: str, words: list[str]) -> bool:
    """Whether all is well."""
    named = ["--data-dir"] if words and not words[0].startswith("-") else []
    read = _read(command, [*named, *words], {"": {}})
    if read is None:
        return True
    from vidsim.stages import check

    return check.run(read[0])


def _plan(command: str, words: list[str]) -> None:
    task = _task(words)
    read = _read(command, words, {"": {command: task.fold_config()}})
    if read is not None:
        from vidsim.stages import plan
        from vidsim.tasks.registry import for_task

        common, parts = read[0], read[1][""]
        recipes = registry.load(common.recipes, common.size, common.bert_dir is not None)
        recipes = for_task(recipes, task, common.size, common.bert_dir is not None)
        plan.run(common, cast("FoldConfig", parts[command]), recipes)


def _run(command: str, words: list[str]) -> None:
    read = _read(command, words, {"": {command: _OWN[command](_task(words))}})
    if read is None:
        return
    common, parts = read[0], read[1][""]
    config = cast(Any, parts[command])
    if command in _COMPUTING or getattr(config, "video_files", None) is not None:
        _start_keras()
    importlib.import_module(f"vidsim.stages.{command}").run(common, config)


def _train(command: str, words: list[str]) -> None:
    stage = cast(Literal["pretrain", "finetune"], command)
    asked = _common(words)
    pretrained = asked.bert_dir is not None
    loaded = registry.load(asked.recipes, asked.size, pretrained)
    if command == "finetune":
        from vidsim.tasks.registry import for_task

        loaded = for_task(loaded, _task(words), asked.size, pretrained)
    variants = {r.name: {"model": r.model, stage: getattr(r, stage)} for r in loaded}
    read = _read(command, words, variants)
    if read is None:
        return
    common, changed = read
    recipes: list[Recipe] = [dataclasses.replace(r, **changed[r.name]) for r in loaded]
    for recipe in recipes:
        recipe.check(stage)
    _start_keras()
    from vidsim.stages import finetune, pretrain

    {"pretrain": pretrain.run, "finetune": finetune.run}[stage](common, recipes)


_COMMANDS: dict[str, Callable[[str, list[str]], bool | None]] = {
    "check": _check,
    "plan": _plan,
    "write_tfrecord": _run,
    "pretrain": _train,
    "finetune": _train,
    "inference": _run,
    "ensemble": _run,
    "convert": _run,
    "embed": _run,
    "extract": _run,
}


def _start_keras() -> None:
    from vidsim.keras_start import start_keras

    start_keras()


def _common(words: list[str]) -> Common:
    """The common options among a command's flags, whatever else is there."""
    common = Common()
    given, _ = cli_flags.parse(cli_flags.hyphens(words), _fields(common))
    return override(common, given, "flag")


def _task(words: list[str]) -> "Task":
    """What --task names, whatever else is there."""
    from vidsim.tasks.registry import find_task  # brings numpy

    return find_task(_common([word for word in words if word not in _HELP]))


Parts = dict[str, Config]


def _read(command: str, words: list[str], variants: dict[str, Parts]) -> Any:
    """The common options and, for every variant, its configurations with the flags' values.

    Returns:
        (common, {variant: {part: configuration}}), all checked but the recipes'; None where the
        help was asked for and has been printed.

    Raises:
        UsageError: flags that are unknown or of the wrong type.
        VidsimError: values that are not accepted.
    """
    if any(word in _HELP for word in words):
        asked = _common([word for word in words if word not in _HELP])
        everything = "--help-all" in words
        print(help_text(command, STAGES[command], asked, variants, everything), end="")
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
    if command in _TRAINING:
        loaded = registry.load("all", Common().size)
        having = [
            recipe.name
            for recipe in loaded
            if word in cli_flags.options(_fields(recipe.model, getattr(recipe, command)))
        ]
        if having:
            return f"{word} is a flag of {', '.join(having)}, which --recipes does not name"
    for other in _TRAINING:
        fields = _fields({"pretrain": PretrainConfig, "finetune": FinetuneConfig}[other]())
        if other != command and word in cli_flags.options(fields):
            return f"{word} is a flag of {other}"
    return cli_flags.unknown(rest, cli_flags.options(known[variant]))


if __name__ == "__main__":
    sys.exit(main())
