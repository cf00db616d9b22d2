"""What inference is to predict, by which checkpoint, and whether that is done.

Nothing here needs TensorFlow or Keras.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidsim.blending.members import member_path
from vidsim.config import PUBLISHED_TASK, Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest, is_leftover, write_json
from vidsim.recipes import registry
from vidsim.stages.run_folders import best_of_finished
from vidsim.tasks.configs import InferenceConfig
from vidsim.tasks.job import Job
from vidsim.tasks.registry import find_task
from vidsim.training.checkpoint import CONFIG, read_description
from vidsim.training.checkpoint_keeper import find_checkpoint
from vidsim.training.run_identity import FORMAT
from vidsim.training.run_identity import differences as field_differences
from vidsim.training.run_record import free_name

_SHARD = re.compile(r".+-\d{9}\.npy")


class PredictionRecord:
    """The files that one checkpoint's predictions go to, and their record.

    Args:
        title: as the user reads it, e.g. "inference mix fold 3".
        checkpoint: the folder of the checkpoint.
        place: the path of the first file, without its suffix; the record lies beside it.
        jobs: by what they are, such as "test" and "validation".
        details: what else the record says.
        redo: whether files of another checkpoint or other data are moved aside.
        product: what they hold, as a message names it.
    """

    def __init__(
        self,
        title: str,
        checkpoint: Path,
        place: Path,
        jobs: dict[str, Job],
        details: dict[str, Any] | None = None,
        redo: bool = False,
        product: str = "predictions",
    ):
        self.title, self.checkpoint, self.jobs, self.redo = title, checkpoint, jobs, redo
        self.place, self.product = place, product
        self.parts = place.with_name(f"{place.name}.parts")
        self._path = place.with_name(f"{place.name}.json")
        self._begun, self._details = self.parts / "config.json", details or {}
        self.fields = {
            "checkpoint": file_digest(checkpoint / CONFIG),
            "data": {name: job.hashes for name, job in jobs.items()},
        }

    def is_done(self) -> bool:
        """Whether these very predictions are there; writes and removes nothing.

        Raises:
            VidsimError: predictions of something else are there, and `redo` is not set.
        """
        differing = self.differences()
        if differing and not self.redo:
            raise VidsimError(
                f"{self.title}: {self.place}.npz holds other {self.product}, which are kept:\n"
                + "".join(f"    {line}\n" for line in differing)
                + f"Give --redo to make them again: the old ones are then moved to "
                f"{free_name(self.place)}; or --run-name or --out for another place"
            )
        return not differing and self._path.exists() and all(p.exists() for p in self._results)

    def begin(self) -> None:
        """Makes the place ready: shards of these very predictions are kept, and nothing else."""
        if self.differences():
            aside = free_name(self.place)
            aside.mkdir()
            for path in [path for path in (*self._results, self._path) if path.exists()]:
                path.rename(aside / path.name)
            print(f"{self.title}: the other {self.product} are in {aside} now", flush=True)
        if self._begun.exists() and not self._changes(self._begun):
            print(f"{self.title}: goes on where it was interrupted", flush=True)
            return
        if self._begun.exists():  # of something else, and killed before it was done
            for path in self._results:
                path.unlink(missing_ok=True)
        self.clear()
        write_json(self._begun, self._content())

    def finish(self) -> None:
        """Marks the predictions as done."""
        write_json(self._path, self._content())
        self.clear()

    def clear(self) -> None:
        """Removes the shards, and then what was written when they were begun."""
        paths = list(self.parts.iterdir()) if self.parts.is_dir() else []
        for path in paths:
            if _SHARD.fullmatch(path.name) or is_leftover(path):
                path.unlink()
        self._begun.unlink(missing_ok=True)
        if self.parts.is_dir() and not any(self.parts.iterdir()):
            self.parts.rmdir()

    @property
    def _results(self) -> list[Path]:
        return [job.path for job in self.jobs.values()]

    def _content(self) -> dict[str, Any]:
        return {"format": FORMAT, **self.fields, **self._details}

    def differences(self) -> list[str]:
        """How what is there differs; empty where there is nothing, or something unfinished."""
        if self._path.exists():
            return self._changes(self._path)
        there = [str(path) for path in self._results if path.exists()]
        if there and not self._begun.exists():
            return [f"{self._path.name}: there is no record of {' and '.join(there)}"]
        return []

    def _changes(self, path: Path) -> list[str]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return field_differences(_recorded(content), self.fields)
        except (OSError, ValueError, TypeError, KeyError) as error:
            return [f"{path.name}: not a record of {self.product} ({error})"]


class PredictionRecords:
    """What inference is asked for: which examples, and by which checkpoints.

    Args:
        common: --task, folders, --recipes, --folds, --run-name and --redo.
        config: flags of inference.

    Attributes:
        task: the task.

    Raises:
        VidsimError: files are missing or damaged, or flags contradict each other.
    """

    def __init__(self, common: Common, config: InferenceConfig):
        common.check_fields()
        config.check_fields()
        registry.load_files(common.recipes)  # they may define the families of the checkpoints
        self.task = find_task(common)
        self._common, self._config = common, config
        self._names = registry.names(common.recipes)
        self._predictions = self.task.open_predictions(common, config)
        self._folds = self._predictions.folds
        if config.ckpt_file is not None and len(self._names) * len(self._folds) > 1:
            raise VidsimError(
                "--ckpt-file is one checkpoint: name one of --recipes and one of --folds"
            )

    def all(self) -> Iterator[PredictionRecord]:
        """The records of every recipe and fold, done or not.

        Raises:
            VidsimError: a model is not trained yet, or is of another recipe, fold or task.
        """
        for name in self._names:
            for fold in self._folds:
                yield self.record(name, fold)

    def record(self, name: str, fold: int) -> PredictionRecord:
        """The record of one recipe's fold.

        Raises:
            VidsimError: as `all`.
        """
        common, other = self._common, self._predictions.name
        run, checkpoint = common.run(name), self._checkpoint(name, fold)
        jobs = self._predictions.jobs(run, fold)
        details = {
            "run": read_description(checkpoint).get("run"),
            "files": {what: list(job.table.paths) for what, job in jobs.items()},
            "ckpt_file": self._config.ckpt_file,
        }
        title = f"inference {run} fold {fold}" + (f" of {other}" if other else "")
        place = member_path(common.task_dir, run, fold, other).with_suffix("")
        product = self.task.product
        return PredictionRecord(title, checkpoint, place, jobs, details, common.redo, product)

    def _checkpoint(self, name: str, fold: int) -> Path:
        """The best one of the finetuning, or --ckpt-file, which may be one of pretraining.

        Raises:
            VidsimError: there is none, or it is of another recipe, fold, task or stage.
        """
        named = self._config.ckpt_file
        folder = self._common.task_dir / "finetune" / self._common.run(name) / f"fold{fold}"
        checkpoint = find_checkpoint(named) if named else best_of_finished(folder)
        info = read_description(checkpoint)
        asked: list[tuple[str, str | int, str | int]] = [
            ("recipe", name, info.get("recipe", name)),
            ("fold", fold, info.get("fold", fold)),
            ("task", self.task.name, info.get("task", {}).get("name", PUBLISHED_TASK)),
        ]
        if named is None:
            asked.append(("stage", "finetune", info.get("stage", "finetune")))
        for what, wanted, found in asked:
            if found != wanted:
                raise VidsimError(
                    f"{checkpoint}: this checkpoint is of {what} {found}, and asked for is "
                    f"{what} {wanted}"
                )
        return checkpoint


def _recorded(content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a record of any format; format 1 had no number, and data as [hash, count]."""
    if "format" in content:
        return {"checkpoint": content["checkpoint"], "data": content["data"]}
    names = ("test", "validation")
    data = {
        name: {"videos": digest, "count": count}
        for name, (digest, count) in zip(names, content["data"], strict=False)
    }
    return {"checkpoint": content["checkpoint"], "data": data}
