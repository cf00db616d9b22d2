"""The records of embeddings: which model made them, of which videos, and whether that still holds.

Embeddings of a model that was trained anew since, or of folds trained by different flags, blend
without a sign of it. Inference writes a record beside each file; here it is compared with the runs.
"""

import contextlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vidsim.blending.member_file import name_ids
from vidsim.blending.members import command, member_path
from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.training.checkpoint import CONFIG
from vidsim.training.checkpoint_keeper import MANIFEST, numbered_folders
from vidsim.training.run_identity import FORMAT, differences
from vidsim.training.run_record import DONE

_OF_THE_FOLD = ("fold", "data")  # differ between the folds of one configuration


@dataclass(frozen=True)
class Member:
    """One recipe's fold: its embeddings and what is known of the model that made them."""

    recipe: str
    fold: int
    path: Path
    """Embeddings of the test videos."""
    run_dir: Path
    """Where its finetuning lies, or lay."""
    record: dict[str, Any] | None
    """What inference wrote beside them; None for embeddings from elsewhere."""
    own: dict[str, Any] | None
    """What it wrote beside those of the data folder's own videos, where test videos are others."""

    @property
    def checkpoint(self) -> str | None:
        """sha256 of the config.json of the checkpoint that made them."""
        return (self.record or {}).get("checkpoint")

    @property
    def configuration(self) -> dict[str, Any] | None:
        """Flags and inputs of the run, without those of its fold; None where not recorded.

        Checkpoints before format 2 have none: then it is the run's own record, if that is there.
        """
        if self.record is None:
            return None
        found = self.record.get("run")
        if found is None:
            found = _read(self.run_dir / DONE)
        if not isinstance(found, dict):
            return None
        found = found.get("identity", found)
        return {name: value for name, value in found.items() if name not in _OF_THE_FOLD}

    @property
    def kind(self) -> tuple[str, bool]:
        """Members of one kind have configurations with the same fields."""
        return self.recipe, (self.record or {}).get("run") is not None

    def digest(self, part: Literal["test", "validation"]) -> str | None:
        """Digest of the table of the videos that were embedded; None where not recorded."""
        with contextlib.suppress(TypeError, LookupError):
            record = self.record if part == "test" or self.own is None else self.own
            data = (record or {})["data"]
            if isinstance(data, dict):
                return data[part]["videos"]
            return data[("test", "validation").index(part)][0]
        return None


def read_members(
    common: Common, names: Sequence[str], folds: Sequence[int], test_name: str | None = None
) -> list[Member]:
    """The members with their records.

    Raises:
        VidsimError: a record is damaged or of a later version.
    """
    members = []
    for name in names:
        run = common.run(name)
        for fold in folds:
            path = member_path(common.task_dir, run, fold, test_name)
            own = member_path(common.task_dir, run, fold).with_suffix(".json")
            members.append(
                Member(
                    recipe=name,
                    fold=fold,
                    path=path,
                    run_dir=common.task_dir / "finetune" / run / f"fold{fold}",
                    record=_record(path.with_suffix(".json")),
                    own=None if test_name is None else _record(own),
                )
            )
    return members


def check_members(
    common: Common, members: Sequence[Member], test_digest: str | None, flags: Sequence[str] = ()
) -> list[str]:
    """Compares the records with each other, with the runs and with the test videos.

    Args:
        common: folders, for the commands that a message names.
        members: from `read_members`, of all recipes and folds.
        test_digest: of the test videos' table as it is now; None where there are none.
        flags: that inference needs besides, for these test videos.

    Returns:
        What the reader of the report must know: embeddings without a record, without a run.

    Raises:
        VidsimError: folds of one recipe are of different configurations, embeddings are of another
            checkpoint than their run's, or of other videos than those there are now.
    """
    _refuse_other_videos(common, members, test_digest, flags)
    notes = [note for member in members for note in _compare_run(common, member, flags)]
    _refuse_different_folds(common, members, flags)
    unknown = [str(member.path) for member in members if member.record is None]
    gone = [str(m.run_dir) for m in members if m.record is not None and not m.run_dir.is_dir()]
    if unknown:
        notes.append(
            f"{len(unknown)} of {len(members)} embeddings have no record of the model that made "
            f"them: {name_ids(unknown)}"
        )
    if gone:
        notes.append(
            f"{len(gone)} of {len(members)} embeddings are of runs that are gone, so nothing tells "
            f"whether they are up to date: {name_ids(gone)}"
        )
    return notes


def run_seeds(members: Sequence[Member]) -> dict[str, list[int]]:
    """Recipe to the seeds of its runs, ascending; no entry where no record tells."""
    seeds: dict[str, set[int]] = {}
    for member in members:
        seed = (member.configuration or {}).get("seed")
        if seed is not None:
            seeds.setdefault(member.recipe, set()).add(seed)
    return {name: sorted(found) for name, found in seeds.items()}


def describe_members(members: Sequence[Member]) -> list[dict[str, Any]]:
    """Each member for the report: its file, and the checkpoint and videos that its record names."""
    described = []
    for member in members:
        folder = _folder_of(member)
        described.append(
            {
                "recipe": member.recipe,
                "fold": member.fold,
                "file": str(member.path),
                "checkpoint_sha256": member.checkpoint,
                "checkpoint": None if folder is None else str(folder),
                "test_videos_sha256": member.digest("test"),
                "test_videos": ((member.record or {}).get("files") or {}).get("test"),
            }
        )
    return described


def _refuse_other_videos(
    common: Common, members: Sequence[Member], test_digest: str | None, flags: Sequence[str]
) -> None:
    validated: dict[int, Member] = {}
    for member in members:
        again = _again(common, member, flags)
        digest = member.digest("test")
        if test_digest is not None and digest not in (None, test_digest):
            raise VidsimError(
                f"{member.path}: its record is of other test videos than those there are now "
                f"({_short(digest)}, now {_short(test_digest)}): titles, frames or order differ. "
                f"{again}"
            )
        first = validated.setdefault(member.fold, member)
        before, now = first.digest("validation"), member.digest("validation")
        if None not in (before, now) and before != now:
            raise VidsimError(
                f"{first.path} and {member.path}: the videos of their validation pairs have other "
                f"titles or frames ({_short(before)}, {_short(now)}). {again}"
            )
        if member.own is not None and member.own.get("checkpoint") != member.checkpoint:
            raise VidsimError(
                f"{member.path}: by another checkpoint than the embeddings of the validation "
                f"pairs ({_short(member.checkpoint)} and {_short(member.own.get('checkpoint'))}). "
                f"{again}"
            )


def _refuse_different_folds(
    common: Common, members: Sequence[Member], flags: Sequence[str]
) -> None:
    first: dict[tuple[str, Any], Member] = {}
    for member in members:
        if member.configuration is None:
            continue
        other = first.setdefault(member.kind, member)
        before, now = other.configuration or {}, member.configuration
        found = differences(_shared(before, now), _shared(now, before))
        if found:
            lines = "".join(f"    {line}\n" for line in found)
            raise VidsimError(
                f"{member.recipe}: folds {other.fold} and {member.fold} are of different "
                f"configurations (fold {other.fold} -> fold {member.fold}):\n{lines}"
                f"Train them alike, or name folds that are alike with --folds. "
                f"{_again(common, member, flags)}"
            )


def _compare_run(common: Common, member: Member, flags: Sequence[str]) -> list[str]:
    """Whether the embeddings are of the run's best checkpoint; a note if of a chosen one."""
    manifest = _read(member.run_dir / MANIFEST)
    if member.checkpoint is None or manifest is None or not manifest.get("best"):
        return []
    best = member.run_dir / str(manifest["best"].get("folder"))
    folder = _folder_of(member)
    if folder == best:
        return []
    chosen = (member.record or {}).get("ckpt_file") or folder
    if chosen is not None:
        return [
            f"{member.recipe} fold {member.fold}: embeddings of {chosen}; the best checkpoint of "
            f"its run is {best.name}"
        ]
    raise VidsimError(
        f"{member.path}: by a checkpoint that {member.run_dir} does not have "
        f"({_short(member.checkpoint)}; the best there, {best.name}, is "
        f"{_short(_digest(best / CONFIG))}): the run was made again since. "
        f"{_again(common, member, flags)}"
    )


def _folder_of(member: Member) -> Path | None:
    """The checkpoint in the run's folder that made the embeddings."""
    if member.checkpoint is None:
        return None
    folders = numbered_folders(member.run_dir, "ckpt")
    fitting = (path for path in folders if _digest(path / CONFIG) == member.checkpoint)
    return next(fitting, None)


def _again(common: Common, member: Member, flags: Sequence[str]) -> str:
    words = shlex.join([*command(common, [member.recipe], [member.fold]), *flags])
    return f"Make the embeddings again: python inference {words}"


def _record(path: Path) -> dict[str, Any] | None:
    record = _read(path)
    number = None if record is None else record.get("format")
    if number is not None and number != FORMAT:
        raise VidsimError(
            f"{path}: a record of format {number!r}; this version reads format {FORMAT} and "
            "older ones without a number"
        )
    return record


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise VidsimError(f"{path}: not a readable record ({error})") from error
    if not isinstance(content, dict):
        raise VidsimError(f"{path}: not a record: {type(content).__name__}, accepted is an object")
    return content


def _digest(path: Path) -> str | None:
    return file_digest(path) if path.is_file() else None


def _short(digest: Any) -> str:
    return str(digest)[:12]


def _shared(fields: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that both have: of two versions of vidsim, one may record more."""
    kept = {}
    for name in fields.keys() & others.keys():
        one, other = fields[name], others[name]
        nested = isinstance(one, Mapping) and isinstance(other, Mapping)
        kept[name] = _shared(one, other) if nested else one
    return dict(sorted(kept.items()))
