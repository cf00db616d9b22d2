"""What inference is to embed, by which checkpoint, and whether that is done.

Nothing here needs TensorFlow or Keras.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.blending.members import member_path, test_name, validation_path
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest, is_leftover, write_json
from vidsim.recipes import registry
from vidsim.recipes.recipe import FinetuneConfig
from vidsim.records.video_table import VideoTable
from vidsim.stages.configs import InferenceConfig
from vidsim.stages.inputs import TEST, open_videos
from vidsim.stages.pair_source import PairSource
from vidsim.stages.run_folders import best_of_finished
from vidsim.stages.run_identity import FORMAT
from vidsim.stages.run_identity import differences as field_differences
from vidsim.stages.run_record import free_name
from vidsim.training.checkpoint import CONFIG, read_description
from vidsim.training.checkpoint_keeper import find_checkpoint

_SHARD = re.compile(r".+-\d{9}\.npy")


@dataclass(frozen=True)
class Job:
    """Some videos of a table to embed into one file."""

    path: Path
    table: VideoTable
    rows: np.ndarray

    @property
    def hashes(self) -> dict[str, Any]:
        """Which videos: hashes of the table and of the ids embedded, and their number."""
        ids = hashlib.sha256(b"\n".join(self.table.ids[self.rows].tolist())).hexdigest()
        return {"videos": self.table.digest, "ids": ids, "count": len(self.rows)}


class EmbeddingRecord:
    """The files that one checkpoint's embeddings go to, and their record.

    Args:
        title: as the user reads it, e.g. "inference mix fold 3".
        checkpoint: the folder of the checkpoint.
        jobs: by what they are, "test" first and perhaps "validation".
        details: what else the record says.
        redo: whether files of another checkpoint or other data are moved aside.
    """

    def __init__(
        self,
        title: str,
        checkpoint: Path,
        jobs: dict[str, Job],
        details: dict[str, Any] | None = None,
        redo: bool = False,
    ):
        self.title, self.checkpoint, self.jobs, self.redo = title, checkpoint, jobs, redo
        first = jobs["test"].path
        self.place = first.with_suffix("")
        self.parts = first.with_suffix(".parts")
        self._path, self._begun = first.with_suffix(".json"), self.parts / "config.json"
        self._details = details or {}
        self.fields = {
            "checkpoint": file_digest(checkpoint / CONFIG),
            "data": {name: job.hashes for name, job in jobs.items()},
        }

    def is_done(self) -> bool:
        """Whether these very embeddings are there; writes and removes nothing.

        Raises:
            VidsimError: embeddings of something else are there, and `redo` is not set.
        """
        differing = self.differences()
        if differing and not self.redo:
            raise VidsimError(
                f"{self.title}: {self.place}.npz holds other embeddings, which are kept:\n"
                + "".join(f"    {line}\n" for line in differing)
                + f"Give --redo to make them again: the old ones are then moved to "
                f"{free_name(self.place)}; or --run-name or --out for another place"
            )
        return not differing and self._path.exists() and all(p.exists() for p in self._results)

    def begin(self) -> None:
        """Makes the place ready: shards of these very embeddings are kept, and nothing else."""
        if self.differences():
            aside = free_name(self.place)
            aside.mkdir()
            for path in [path for path in (*self._results, self._path) if path.exists()]:
                path.rename(aside / path.name)
            print(f"{self.title}: the other embeddings are in {aside} now", flush=True)
        if self._begun.exists() and not self._changes(self._begun):
            print(f"{self.title}: goes on where it was interrupted", flush=True)
            return
        if self._begun.exists():  # of something else, and killed before it was done
            for path in self._results:
                path.unlink(missing_ok=True)
        self.clear()
        write_json(self._begun, self._content())

    def finish(self) -> None:
        """Marks the embeddings as done."""
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
            return [f"{path.name}: not a record of embeddings ({error})"]


class EmbeddingSource:
    """What inference is asked for: which videos, and by which checkpoints.

    Args:
        common: folders, --recipes, --folds, --run-name and --redo.
        config: flags of inference.

    Raises:
        VidsimError: files are missing or damaged, or flags contradict each other.
    """

    def __init__(self, common: Common, config: InferenceConfig):
        common.check_fields()
        config.check_fields()
        registry.load_files(common.recipes)  # they may define the families of the checkpoints
        self._common, self._config = common, config
        self._names = registry.names(common.recipes)
        self._source = PairSource(common, FinetuneConfig())
        if config.ckpt_file is not None and len(self._names) * len(self._source.folds) > 1:
            raise VidsimError(
                "--ckpt-file is one checkpoint: name one of --recipes and one of --folds"
            )
        self._other = test_name(config.test_b_file, common.data_dir / TEST, config.out)
        self._table = open_videos(common, config.test_b_file, TEST)
        self._validated: dict[int, tuple[VideoTable, np.ndarray]] = {}

    def records(self) -> Iterator[EmbeddingRecord]:
        """The records of every recipe and fold, done or not.

        Raises:
            VidsimError: a model is not trained yet, or is of another recipe or fold.
        """
        for name in self._names:
            for fold in self._source.folds:
                yield self.record(name, fold)

    def record(self, name: str, fold: int) -> EmbeddingRecord:
        """The record of one recipe's fold.

        Raises:
            VidsimError: as `records`.
        """
        common, other = self._common, self._other
        run, checkpoint = common.run(name), self._checkpoint(name, fold)
        path = member_path(common.save_dir, run, fold, other)
        jobs = {"test": Job(path, self._table, np.arange(len(self._table)))}
        if other is None:
            path = validation_path(common.save_dir, run, fold)
            jobs["validation"] = Job(path, *self._validation(fold))
        details = {
            "run": read_description(checkpoint).get("run"),
            "files": {what: list(job.table.paths) for what, job in jobs.items()},
            "ckpt_file": self._config.ckpt_file,
        }
        title = f"inference {run} fold {fold}" + (f" of {other}" if other else "")
        return EmbeddingRecord(title, checkpoint, jobs, details, common.redo)

    def _validation(self, fold: int) -> tuple[VideoTable, np.ndarray]:
        if fold not in self._validated:
            pairs, videos = self._source.validation(fold)
            rows = videos.rows_of(pairs.videos())
            self._validated[fold] = videos, rows
        return self._validated[fold]

    def _checkpoint(self, name: str, fold: int) -> Path:
        """The best one of the finetuning, or --ckpt-file, which may be one of pretraining.

        Raises:
            VidsimError: there is none, or it is of another recipe, fold or stage.
        """
        named = self._config.ckpt_file
        folder = self._common.save_dir / "finetune" / self._common.run(name) / f"fold{fold}"
        checkpoint = find_checkpoint(named) if named else best_of_finished(folder)
        info = read_description(checkpoint)
        expected: dict[str, str | int] = {"recipe": name, "fold": fold}
        if named is None:
            expected["stage"] = "finetune"
        for what, wanted in expected.items():
            if info.get(what, wanted) != wanted:
                raise VidsimError(
                    f"{checkpoint}: this checkpoint is of {what} {info[what]}, and asked for is "
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
