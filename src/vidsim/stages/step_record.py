"""A finished step leaves a record of its configuration, by which it is skipped or redone."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidsim.files import write_json


class StepRecord:
    """The record of one step.

    Args:
        title: the step as the user reads it, e.g. "finetune mix fold 3".
        path: the record, a JSON file; it is written last.
        results: files and folders that the step makes; a redo removes them first.
        configuration: everything the results depend on, JSON-able: flags, seed, hashes of inputs.
    """

    def __init__(
        self, title: str, path: Path, results: Sequence[Path], configuration: dict[str, Any]
    ):
        self.title, self.path, self.results = title, path, list(results)
        self.configuration = json.loads(json.dumps(configuration, default=str))

    @classmethod
    def of_folder(cls, title: str, folder: Path, configuration: dict[str, Any]) -> "StepRecord":
        """The record of a step whose results are one folder."""
        return cls(title, folder / "done.json", [folder], configuration)

    def is_done(self) -> bool:
        """Whether this very step is finished; says so. If it is not, removes what is left of it."""
        complete = self.path.exists() and all(result.exists() for result in self.results)
        if complete:
            before = json.loads(self.path.read_text(encoding="utf-8"))
            changes = _changes(before, self.configuration)
            if not changes:
                print(f"{self.title}: done already; to redo it, remove {self.path}", flush=True)
                return True
            print(f"{self.title}: redone, its configuration changed: {'; '.join(changes)}")
        for path in [self.path, *self.results]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return False

    def finish(self) -> None:
        """Marks the step as done."""
        write_json(self.path, self.configuration)


def _changes(before: Any, now: Any, name: str = "") -> list[str]:
    """Each difference as "field: before -> now"."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        pairs = ((key, before.get(key), now.get(key)) for key in keys)
        return [line for key, old, new in pairs for line in _changes(old, new, str(key))]
    return [] if before == now else [f"{name}: {_short(before)} -> {_short(now)}"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:20] + "..."
