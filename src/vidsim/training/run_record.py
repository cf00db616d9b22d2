"""A run's folder and its record: whether it is done, begun, or somebody else's.

The record is written when a run begins (config.json) and again when it is finished (done.json).
Nothing is ever removed but what vidsim writes, and only in a folder that has a record; a run of
another configuration is kept, unless it is asked to be moved aside.
"""

import contextlib
import itertools
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.files import is_leftover, write_json
from vidsim.training.checkpoint_keeper import best_checkpoint, numbered_folders
from vidsim.training.run_identity import FORMAT, Identity, recorded_fields
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.training_state import TrainingState

DONE, BEGUN = "done.json", "config.json"
_OWN_FOLDERS = ("ckpt", "state")  # each with a number behind it
_OWN_FILES = ("metrics.json", "checkpoints.json")
_LOGS, _EVENTS = "logs", "events.out.tfevents.*"


class RunRecord:
    """The record of one training run.

    Args:
        title: the run as the user reads it, e.g. "finetune mix fold 3".
        folder: the run's own.
        identity: what its result depends on.
        details: what else config.json says: other flags, where each value came from.
        redo: whether a run of another configuration is moved aside.
        beside: how the user can have the new run in another folder.
    """

    def __init__(
        self,
        title: str,
        folder: Path,
        identity: Identity,
        details: dict[str, Any] | None = None,
        redo: bool = False,
        beside: str = "another --savedmodel-path",
    ):
        self.title, self.folder, self.identity = title, folder, identity
        self.details, self.redo, self.beside = details or {}, redo, beside

    def is_done(self) -> bool:
        """Whether this very run is finished; writes and removes nothing.

        Raises:
            VidsimError: the folder has files and no record, or holds a run of another
                configuration and `redo` is not set.
        """
        differing = self.differences()
        if differing and not self.redo:
            raise VidsimError(self._refusal(differing))
        if differing and (others := self._other_folders()):
            raise VidsimError(
                f"{self.title}: {self.folder} holds other folders beside the run "
                f"({', '.join(others[:3])}), which --redo would move aside with it; move them, or "
                f"give {self.beside}"
            )
        return not differing and (self.folder / DONE).exists()

    def differences(self) -> list[str]:
        """How the run in the folder differs from this one; empty where there is none to keep.

        Raises:
            VidsimError: the folder has files and no record.
        """
        path = recorded_in(self.folder)
        if path is None:
            return []
        if path.name == BEGUN and not self.has_work():
            return []
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            differing = self.identity.differences(recorded_fields(content))
        except (OSError, ValueError) as error:
            return [f"{path.name}: {error}"]
        if path.name == BEGUN and "format" not in content:
            differing.append("format: 1 -> 2; an older version's unfinished run cannot go on here")
        if path.name == DONE and not differing:
            differing += self._lost()
        return differing

    def _lost(self) -> list[str]:
        """What a finished run cannot do without and has no longer: its best checkpoint."""
        try:
            best = best_checkpoint(self.folder)
        except (VidsimError, KeyError, TypeError, ValueError) as error:
            return [f"checkpoints.json: {error}"]
        return [] if best.is_dir() else [f"{best.name}: the best checkpoint -> it is gone"]

    def begin(self) -> bool:
        """Moves a run of another configuration out of the folder, where that is asked for.

        Returns:
            Whether a run of this very configuration was begun here and left something.
        """
        differing = self.differences()
        if differing:
            aside = move_aside(self.folder)
            print(f"{self.title}: the run of another configuration is in {aside} now", flush=True)
        return self.has_work()

    def start(self, tokenizer: str) -> None:
        """Writes the record of a run that begins.

        Args:
            tokenizer: digest of the tokenizer that it was built with.
        """
        write_json(self.folder / BEGUN, {**self._content(), "tokenizer": tokenizer})

    def tokenizer(self) -> str | None:
        """Digest of the tokenizer that the run in the folder was begun with, where it is known."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return json.loads((self.folder / BEGUN).read_text(encoding="utf-8")).get("tokenizer")
        return None

    def finish(self) -> None:
        """Marks the run as done."""
        write_json(self.folder / DONE, self._content())

    def clear(self) -> None:
        """Removes what a run writes but its record; files of anybody else stay."""
        for path in self._work():
            shutil.rmtree(path)
        for name in _OWN_FILES:
            (self.folder / name).unlink(missing_ok=True)
        logs = self.folder / _LOGS
        for path in logs.glob(_EVENTS):
            path.unlink()
        with contextlib.suppress(OSError):  # not there, or files of somebody else in it
            logs.rmdir()

    def _content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "vidsim": version("vidsim"),
            "identity": self.identity.fields,
            **self.details,
        }

    def _other_folders(self) -> list[str]:
        """Names of folders in the run's own that no run writes."""
        paths = self.folder.iterdir() if self.folder.is_dir() else []
        own = {self.folder / _LOGS, *self._work()}
        others = (path for path in paths if path.is_dir() and path not in own)
        return sorted(path.name for path in others if not is_leftover(path))

    def has_work(self) -> bool:
        """Whether a run left checkpoints or states in the folder."""
        return any(self._work())

    def _work(self) -> list[Path]:
        """Folders of checkpoints and states."""
        return [path for name in _OWN_FOLDERS for path in numbered_folders(self.folder, name)]

    def _refusal(self, differing: list[str]) -> str:
        state = "a finished run" if (self.folder / DONE).exists() else "an interrupted run"
        damage = ("done.json: ", "config.json: ", "checkpoints.json: ", "ckpt-")
        how = "that is damaged" if differing[0].startswith(damage) else "of another configuration"
        return (
            f"{self.title}: {self.folder} holds {state} {how}, which is kept:\n"
            + "".join(f"    {line}\n" for line in differing)
            + f"Give {self.beside} to make this run beside it, or --redo to make it here: the old "
            f"run is then moved to {free_name(self.folder)}"
        )


def first_state(record: RunRecord, states: StateKeeper, tokenizer: str) -> TrainingState:
    """Makes a run's folder ready: the state that it goes on from, or an empty one.

    Args:
        record: of the run, which is not done.
        states: of its folder.
        tokenizer: digest of the tokenizer that the model was built with.

    Raises:
        VidsimError: the run was begun with another tokenizer, or its state cannot be read.
    """
    state = states.latest() if record.begin() else None
    if state is None:
        record.clear()
        record.start(tokenizer)
        return TrainingState()
    if record.tokenizer() not in (None, tokenizer):
        raise VidsimError(
            f"{record.title}: {record.folder} was begun with another tokenizer, so its state means "
            "other words; give --redo to begin anew"
        )
    print(f"{record.title}: goes on after step {state.step}", flush=True)
    return state


def recorded_in(folder: Path) -> Path | None:
    """The file that tells of a folder's run; None in a new or empty folder.

    Raises:
        VidsimError: the folder has files and no record.
    """
    for path in (folder, *folder.parents):
        if path.is_symlink() and not path.exists():
            raise VidsimError(f"{path}: this is a link to a folder that is not there")
        if path.exists() and not path.is_dir():
            raise VidsimError(f"{path}: this is a file; accepted is a folder")
    if not folder.is_dir() or all(map(is_leftover, folder.iterdir())):
        return None
    records = [path for path in (folder / DONE, folder / BEGUN) if path.exists()]
    if not any(map(is_run, records)):  # one of the two may be damaged
        raise VidsimError(_foreign(folder))
    return records[0]


def is_finished(folder: Path) -> bool:
    """Whether a training run has come to its end in a folder."""
    return (folder / DONE).exists()


def is_run(path: Path) -> bool:
    """Whether a JSON file is the record of a run, whatever its format."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(content, dict):
        return False
    if "identity" in content:
        identity = content["identity"]
        return "vidsim" in content and isinstance(identity, dict) and "recipe" in identity
    kinds = {"recipe": str, "model": dict, "seed": int, "data": list}  # of the first format
    right = all(isinstance(content.get(name), kind) for name, kind in kinds.items())
    return right and "encoder" in content and bool({"pretrain", "finetune"} & content.keys())


def free_name(path: Path) -> Path:
    """`<path>.old-<N>` with the first N that is free."""
    if path.name in ("", ".."):
        path = path.resolve()
    path = path.absolute()
    names = (path.with_name(f"{path.name}.old-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def move_aside(path: Path) -> Path:
    """Renames a folder, or a link to one, to `<path>.old-<N>`, and returns that."""
    aside = free_name(path)
    (path.resolve() if path.name in ("", "..") else path.absolute()).rename(aside)
    return aside


def _foreign(folder: Path) -> str:
    return (
        f"{folder}: there are files in this folder and no record of a vidsim run ({BEGUN} or "
        f"{DONE}); accepted is a new folder, an empty one, or one with a run of vidsim"
    )
