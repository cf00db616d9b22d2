"""The command line: `vidsim <stage>`, the same functions as the doors.

A stage's flags are the fields of its dataclasses. For the stages that train, those are the fields
of a recipe, so the command line is read once for each recipe, with that recipe's own defaults.
"""

import dataclasses
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tyro

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.recipes import registry
from vidsim.system_errors import remedy
from vidsim.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from vidsim.recipes.recipe import Recipe

STAGES = {
    "check": "Read every file of a data folder and say what is wrong; vidsim check DATA_DIR.",
    "write_tfrecord": "Rated pairs and videos to folds of TFRecords.",
    "pretrain": "Pretrain every recipe's backbone on single videos.",
    "finetune": "Finetune every recipe on every fold's rated pairs.",
    "inference": "Embed the test videos with every model.",
    "ensemble": "Blend all embeddings into the submission and report.",
}
_NO_PREFIXES = (tyro.conf.OmitArgPrefixes,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one stage.

    Args:
        arguments: stage and flags; default: the process's own.

    Returns:
        exit status: 0 done, 1 a mistake the message tells how to mend, 2 an unknown flag or stage.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] not in STAGES:
        return _usage(words)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a notebook's is something else
        sys.stdout.reconfigure(line_buffering=True)
    try:
        _STARTERS[words[0]](words[0], words[1:])
    except VidsimError as error:
        print(f"vidsim {words[0]}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if remedy(error) is None:
            raise
        print(f"vidsim {words[0]}: {remedy(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"vidsim {words[0]}: {error or 'interrupted'}", file=sys.stderr)
        return 130
    return 0


def _usage(words: list[str]) -> int:
    """Says what is accepted; status 0 where that was the question."""
    usage = (
        "usage: vidsim <stage> [flags]; vidsim <stage> --help lists a stage's flags\n"
        + "".join(f"  {stage:<15} {summary}\n" for stage, summary in STAGES.items())
    )
    if words[:1] in (["-h"], ["--help"]):
        print(usage, end="")
        return 0
    asked = repr(words[0]) if words else "nothing"
    print(f"vidsim: {asked} is not a stage\n{usage}", end="", file=sys.stderr)
    return 2


def _check(stage: str, flags: list[str]) -> None:
    from vidsim.stages import check

    named = ["--data-dir"] if flags and not flags[0].startswith("-") else []
    check.run(*_parse(stage, [*named, *flags], {}))


def _write_tfrecord(stage: str, flags: list[str]) -> None:
    from vidsim.stages import write_tfrecord

    write_tfrecord.run(*_parse(stage, flags, {"folds": write_tfrecord.WriteTfrecordConfig()}))


def _inference(stage: str, flags: list[str]) -> None:
    start_tensorflow()
    from vidsim.stages import inference

    inference.run(*_parse(stage, flags, {"inference": inference.InferenceConfig()}))


def _ensemble(stage: str, flags: list[str]) -> None:
    from vidsim.stages import ensemble

    ensemble.run(*_parse(stage, flags, {"ensemble": ensemble.EnsembleConfig()}))


def _train(stage: str, flags: list[str]) -> None:
    start_tensorflow()
    from vidsim.stages import finetune, pretrain

    run = {"pretrain": pretrain.run, "finetune": finetune.run}[stage]
    common, recipes = Common(), []
    for recipe in _recipes(stage, flags):
        parts = {"model": recipe.model, stage: getattr(recipe, stage)}
        common, model, config = _parse(stage, flags, parts)
        recipes.append(dataclasses.replace(recipe, model=model, **{stage: config}))
    run(common, recipes)


_STARTERS = {
    "check": _check,
    "write_tfrecord": _write_tfrecord,
    "pretrain": _train,
    "finetune": _train,
    "inference": _inference,
    "ensemble": _ensemble,
}


def _recipes(stage: str, flags: list[str]) -> "list[Recipe]":
    """Read ahead: the recipes whose defaults the flags change."""
    known = [flag for flag in flags if flag not in ("-h", "--help")]
    common, _ = tyro.cli(
        Common,
        args=known,
        prog=f"vidsim {stage}",
        return_unknown_args=True,
        config=_NO_PREFIXES,
    )
    return registry.load(common.recipes, common.size, pretrained=common.bert_dir is not None)


def _parse(stage: str, flags: list[str], parts: dict[str, Any]) -> tuple[Any, ...]:
    """Flags to the common options and dataclasses of the types of ``parts``, their defaults.

    An unknown flag ends the process with status 2 and names the nearest ones.
    """
    parts = {"common": Common(), **parts}
    fields = [(name, type(part), part) for name, part in parts.items()]
    flat = dataclasses.make_dataclass("Flags", fields, frozen=True)
    parsed = tyro.cli(
        flat, args=flags, prog=f"vidsim {stage}", description=STAGES[stage], config=_NO_PREFIXES
    )
    return tuple(getattr(parsed, name) for name in parts)
