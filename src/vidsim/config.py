"""What every command accepts, and the small rules for reading it. Imports nothing heavy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from vidsim.config_fields import Config, Seed, UsedBy
from vidsim.errors import VidsimError

_RUN_NAME = re.compile(r"[^\W_][\w.-]{0,63}")
PUBLISHED_FOLDS = 11
PUBLISHED_TASK = "similarity"
"""Whose runs lie in the save folder itself, as they did before there were others."""
Size = Literal["tiny", "small", "base"]
_STAGES = ("pretrain", "finetune", "inference", "ensemble")
_TRAIN = UsedBy(("plan", "run", "pretrain", "finetune"))
_TASKS = UsedBy(("plan", "run", "write_tfrecord", "finetune", "inference", "ensemble"))
_RECORDS = UsedBy(("run", "write_tfrecord", *_STAGES, "embed", "convert"))
_MODELS = UsedBy(("plan", "run", "pretrain", "finetune", "inference", "ensemble"))
OnBadRecord = Literal["stop", "skip"]


@dataclass(frozen=True)
class Common(Config):
    """Options that every command accepts; each uses those that concern it."""

    data_dir: Path = Path("data")
    """Folder with pointwise/, pairwise/, test_b/ and tag_list.txt."""
    save_dir: Path = Path("save")
    """Folder for checkpoints, embeddings, logs and reports."""
    task: Annotated[str, _TASKS] = PUBLISHED_TASK
    """What models are finetuned for, embed or predict, and are blended by: a name in
    vidsim.tasks.registry. Pretraining is the same for all."""
    recipes: Annotated[str, _MODELS] = "all"
    """all, or a comma list of recipe names or paths to recipe files of one's own."""
    folds: Annotated[str, UsedBy(("plan", "run", "finetune", "inference", "ensemble"))] = "all"
    """all, or a comma list of fold numbers, counted from 0."""
    size: Annotated[Size, _TRAIN] = "base"
    """Model size and length of training: tiny (seconds), small (minutes), base (as published)."""
    bert_dir: Annotated[str | None, _TRAIN] = None
    """Pretrained text encoder: a Hugging Face folder, or a name on its Hub. Of several, separated
    by commas, each recipe takes the first whose architecture is its own. Without it a vocabulary
    is trained on the titles and the encoder starts at random."""
    run_name: Annotated[str | None, _MODELS] = None
    """Name of another set of runs, in save/<stage>/<recipe>@<name>. Inference and ensemble find
    them by the same name; finetuning starts from the pretraining of that name, or from the unnamed
    one where there is none."""
    redo: Annotated[
        bool, UsedBy(("plan", "run", "write_tfrecord", "pretrain", "finetune", "inference"))
    ] = False
    """Make again what was made with other flags or other input; the old runs are moved to
    <run>.old-1. Without it the command stops."""
    seed: Annotated[Seed, _TRAIN] = 42
    """Seed of weights, dropout and data order."""
    fold_seed: Annotated[Seed, UsedBy(("run", "write_tfrecord", "convert"))] = 42
    """Seed of the folds, and of what convert keeps for the test."""
    output_zip: Annotated[Path | None, UsedBy(("run", "ensemble"))] = None
    """The submission; default: result.zip, with --run-name and --out in its name where they are
    given."""
    on_bad_record: Annotated[OnBadRecord, _RECORDS] = "stop"
    """A record that is damaged or no video: stop says which it is and ends, skip goes on without
    it. What was skipped is counted and listed, in every run again."""

    @property
    def task_dir(self) -> Path:
        """Where the task's runs lie: the save folder, or a folder of the task's name in it."""
        return self.save_dir if self.task == PUBLISHED_TASK else self.save_dir / self.task

    def run(self, recipe: str) -> str:
        """The folder name of a recipe's runs: the recipe, or <recipe>@<run name>."""
        return recipe if self.run_name is None else f"{recipe}@{self.run_name}"

    def contradictions(self) -> Iterator[str]:
        """A run name that cannot be part of a folder's name."""
        if self.run_name is not None and not _RUN_NAME.fullmatch(self.run_name):
            yield (
                f"--run-name {self.run_name!r}: accepted are 1 to 64 letters, digits, . _ and -, a "
                "letter or digit first"
            )


def parse_folds(folds: str, number_of_folds: int) -> list[int]:
    """Turns ``--folds`` into fold numbers.

    Args:
        folds: "all", or comma-separated numbers in [0, number_of_folds).
        number_of_folds: how many folds ``write_tfrecord`` wrote.

    Raises:
        VidsimError: something that is not a fold of this data set.
    """
    if folds.strip() == "all":
        return list(range(number_of_folds))
    chosen = []
    for word in folds.split(","):
        if not re.fullmatch(r"\s*\d+\s*", word) or int(word) >= number_of_folds:
            raise VidsimError(
                f"--folds {folds}: {word.strip()!r} is not a fold; accepted are all, or a comma "
                f"list of 0 to {number_of_folds - 1}"
            )
        chosen.append(int(word))
    return sorted(set(chosen))
