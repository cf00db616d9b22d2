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

from vidsim.cli_flags import UsageError
from vidsim.cli_read import HELP, Parts, common_of, configurations, task_of
from vidsim.cluster.configs import AddressConfig, ExecutorConfig, SharedConfig
from vidsim.cluster.process import end_with_parent
from vidsim.config import Common
from vidsim.config_fields import Config
from vidsim.errors import VidsimError
from vidsim.processors import at_once, processors
from vidsim.provenance import installed_versions
from vidsim.recipes import registry
from vidsim.recipes.recipe import Recipe
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
    "run": "All stages as jobs: side by side, or on many machines.",
    "cluster": "Say how far jobs are: vidsim cluster status.",
}
_OWN: "dict[str, Callable[[Task], Config]]" = {
    "write_tfrecord": lambda task: task.fold_config(),
    "inference": lambda task: task.inference_config(),
    "ensemble": lambda task: task.ensemble_config(),
    "convert": lambda _: ConvertConfig(),
    "embed": lambda _: EmbedConfig(),
    "extract": lambda _: ExtractConfig(),
}
_COMPUTING = ("inference", "embed")
_SHARED = ("embed", "extract")
"""Commands whose work jobs may share, by --executor."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: command and flags; default: the process's own.

    Returns:
        exit status: 0 done, 1 a mistake the message tells how to mend, 2 an unknown flag or
        command, or a flag's value of the wrong type, 75 another process works on the same folder,
        130 interrupted.
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
    end_with_parent()
    try:
        if _COMMANDS[command](command, words[1:]) is False:
            return 1  # what is wrong has been printed
    except UsageError as error:
        return _refused(command, f"{error}; vidsim {command} --help-all has all flags", 2)
    except VidsimError as error:
        return _refused(command, str(error), error.status)
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
    if words and words[0] in HELP:
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
    found = _configured(command, [*named, *words], {"": {}})
    if found is None:
        return True
    from vidsim.stages import check

    return check.run(found[0])


def _plan(command: str, words: list[str]) -> None:
    task = task_of(words)
    found = _configured(command, words, {"": {command: task.fold_config()}})
    if found is not None:
        from vidsim.stages import plan

        common, parts = found[0], found[1][""]
        plan.run(common, cast("FoldConfig", parts[command]), _recipes(common, task))


def _jobs(command: str, words: list[str]) -> None:
    task = task_of(words)
    parts: Parts = {"folds": task.fold_config(), "executor": ExecutorConfig("local")}
    found = _configured(command, words, {"": parts})
    if found is not None:
        from vidsim.cluster import run

        common, changed = found[0], found[1][""]
        folds, executor = cast("FoldConfig", changed["folds"]), changed["executor"]
        run.run(common, folds, executor, _recipes(common, task), " ".join((command, *words)))


def _cluster(command: str, words: list[str]) -> None:
    if words[:1] != ["status"] and not set(words) & set(HELP):
        said = f"not {words[0]!r}" if words else "and what"
        raise UsageError(f"vidsim cluster status is what there is, {said}")
    found = _configured(command, words[words[:1] == ["status"] :], {"": {"": AddressConfig()}})
    if found is not None:
        from vidsim.cluster import show

        show.run(found[0], found[1][""][""].address)


def _recipes(common: Common, task: "Task") -> list[Recipe]:
    from vidsim.tasks.registry import for_task

    pretrained = common.bert_dir is not None
    return for_task(
        registry.load(common.recipes, common.size, pretrained), task, common.size, pretrained
    )


def _run(command: str, words: list[str]) -> None:
    own: Parts = {command: _OWN[command](task_of(words))}
    if command in _SHARED:
        own["executor"] = SharedConfig()
    found = _configured(command, words, {"": own})
    if found is None:
        return
    common, parts = found[0], found[1][""]
    config, executor = cast(Any, parts[command]), cast(Any, parts.get("executor"))
    if executor is not None and executor.executor is not None:
        from vidsim.cluster import shared_work

        typed = " ".join((command, *words))
        getattr(shared_work, command)(common, config, executor, typed)
        return
    if command in _COMPUTING:
        _start_keras()
    elif getattr(config, "video_files", None) is not None:
        # the extractor computes several batches at once, which share the processors
        _start_keras(op_threads=processors() // at_once())
    importlib.import_module(f"vidsim.stages.{command}").run(common, config)


def _train(command: str, words: list[str]) -> None:
    stage = cast(Literal["pretrain", "finetune"], command)
    asked = common_of(words)
    pretrained = asked.bert_dir is not None
    loaded = registry.load(asked.recipes, asked.size, pretrained)
    if command == "finetune":
        from vidsim.tasks.registry import for_task

        loaded = for_task(loaded, task_of(words), asked.size, pretrained)
    variants = {r.name: {"model": r.model, stage: getattr(r, stage)} for r in loaded}
    found = _configured(command, words, variants)
    if found is None:
        return
    common, changed = found
    recipes: list[Recipe] = [dataclasses.replace(r, **changed[r.name]) for r in loaded]
    for recipe in recipes:
        recipe.check(stage)
    _start_keras()
    from vidsim.stages import finetune, pretrain

    {"pretrain": pretrain.run, "finetune": finetune.run}[stage](common, recipes)


_COMMANDS: dict[str, Callable[[str, list[str]], bool | None]] = {
    "check": _check,
    "plan": _plan,
    "run": _jobs,
    "cluster": _cluster,
    "write_tfrecord": _run,
    "pretrain": _train,
    "finetune": _train,
    "inference": _run,
    "ensemble": _run,
    "convert": _run,
    "embed": _run,
    "extract": _run,
}


def _configured(command: str, words: list[str], variants: dict[str, Parts]) -> Any:
    return configurations(command, STAGES[command], words, variants)


def _start_keras(op_threads: int | None = None) -> None:
    from vidsim.keras_start import start_keras

    start_keras(op_threads)


if __name__ == "__main__":
    sys.exit(main())
