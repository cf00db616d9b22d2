"""A step leaves a record of its configuration, by which it is skipped, continued or redone."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidsim.files import write_json

_DONE = "done.json"


class StepRecord:
    """The record of one step.

    Args:
        title: the step as the user reads it, e.g. "finetune mix fold 3".
        path: the record, a JSON file; it is written last.
        results: files and folders that the step makes.
        configuration: everything the results depend on, JSON-able: flags, seed, hashes of inputs.
        begun: a JSON file with the configuration of a step that may be continued, written first;
            None where a step is too short for that.
    """

    def __init__(
        self,
        title: str,
        path: Path,
        results: Sequence[Path],
        configuration: dict[str, Any],
        begun: Path | None = None,
    ):
        self.title, self.path, self.results, self.begun = title, path, list(results), begun
        self.configuration = json.loads(json.dumps(configuration, default=str))

    @classmethod
    def of_folder(cls, title: str, folder: Path, configuration: dict[str, Any]) -> "StepRecord":
        """The record of a step whose results are one folder."""
        return cls(title, folder / _DONE, [folder], configuration, folder / "config.json")

    def is_done(self) -> bool:
        """Whether this very step is finished; says so, or what has changed since it was."""
        if not self.path.exists() or not all(result.exists() for result in self.results):
            return False
        changes = self._changes(self.path)
        if changes:
            print(f"{self.title}: redone, its configuration changed: {changes}", flush=True)
            return False
        print(f"{self.title}: done already; to redo it, remove {self.path}", flush=True)
        return True

    def is_begun(self) -> bool:
        """Whether this very step was begun and not finished; says what changed if another was."""
        if self.begun is None or self.path.exists() or not self.begun.exists():
            return False
        changes = self._changes(self.begun)
        if changes:
            print(f"{self.title}: begun anew, its configuration changed: {changes}", flush=True)
        return not changes

    def discard(self) -> None:
        """Removes what there is of the step, the record first."""
        for path in [self.path, *self.results]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def begin(self) -> None:
        """Marks the step as begun."""
        if self.begun is not None:
            write_json(self.begun, self.configuration)

    def finish(self) -> None:
        """Marks the step as done."""
        write_json(self.path, self.configuration)

    def _changes(self, path: Path) -> str:
        """What differs from the configuration in a file; empty where nothing does."""
        before = json.loads(path.read_text(encoding="utf-8"))
        return "; ".join(_differences(before, self.configuration))


def is_finished(folder: Path) -> bool:
    """Whether a step whose results are one folder has come to its end there."""
    return (folder / _DONE).exists()


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Each difference as "field: before -> now"."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        pairs = ((key, before.get(key), now.get(key)) for key in keys)
        return [line for key, old, new in pairs for line in _differences(old, new, str(key))]
    return [] if before == now else [f"{name}: {_short(before)} -> {_short(now)}"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:20] + "..."
