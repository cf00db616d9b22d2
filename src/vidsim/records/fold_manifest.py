"""What write_tfrecord has written, for the stages that read it and for its own next run."""

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.files import write_json

MANIFEST_NAME = "folds.json"
MANIFEST_FORMAT = 2  # 1 had no number; raise it when an older vidsim must not read the folds
TRAIN_FILE, VAL_FILE = "train.tfrecord", "val.tfrecord"
_FOLD_NAME = re.compile(r"\d+-\d+val")


@dataclass(frozen=True)
class FoldEntry:
    """One fold as written.

    Attributes:
        fold: its number, from 0.
        name: its folder under `pairwise/`.
        train_pairs: number of training pairs.
        val_pairs: number of validation pairs.
        val_videos: number of different videos in the validation pairs.
        val_videos_seen: how many of those are in the training pairs too.
        dropped_pairs: pairs in neither part (folds by video only).
        val_pairs_seen: how many validation pairs are in the training pairs too, either video
            first; None where that was not counted.
    """

    fold: int
    name: str
    train_pairs: int
    val_pairs: int
    val_videos: int
    val_videos_seen: int
    dropped_pairs: int = 0
    val_pairs_seen: int | None = None


@dataclass(frozen=True)
class FoldManifest:
    """The content of `pairwise/folds.json`.

    Attributes:
        configuration: what the folds were made with.
        digests: of label.tsv and of the videos.
        folds: the folds, in order.
    """

    configuration: dict[str, Any]
    digests: dict[str, str]
    folds: tuple[FoldEntry, ...]

    def files(self, data_dir: Path) -> list[Path]:
        """The files of all folds, the two of a fold together."""
        folders = [Path(data_dir) / "pairwise" / entry.name for entry in self.folds]
        return [folder / name for folder in folders for name in (TRAIN_FILE, VAL_FILE)]


def read_folds(data_dir: str | Path) -> FoldManifest:
    """Read what folds there are.

    Raises:
        VidsimError: the folds are not written yet, or the manifest is not one.
    """
    path = Path(data_dir) / "pairwise" / MANIFEST_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _check_format(path, content.get("format", 1))
        folds = tuple(_entry(entry) for entry in content["folds"])
        manifest = FoldManifest(content["configuration"], content["digests"], folds)
    except FileNotFoundError:
        raise VidsimError(
            f"{path} is not there: the folds are not written yet; "
            f"run `python write_tfrecord.py --data-dir {data_dir}` first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VidsimError(
            f"{path} is not a list of folds ({type(error).__name__}: {error}); delete it and run "
            f"`python write_tfrecord.py --data-dir {data_dir}` again"
        ) from None
    for entry in folds:
        if not _FOLD_NAME.fullmatch(entry.name):
            raise VidsimError(f"{path}: fold name {entry.name!r:.80}; it must look like 0-5999val")
    return manifest


def write_folds(data_dir: str | Path, manifest: FoldManifest) -> None:
    """Write the manifest; do it last, since its presence says that the folds are complete."""
    content = {"format": MANIFEST_FORMAT, **asdict(manifest)}
    write_json(Path(data_dir) / "pairwise" / MANIFEST_NAME, content)


def move_folds_aside(data_dir: str | Path) -> Path:
    """Move the folds out of the way, whole, to `pairwise/folds.old-<n>`; nothing is deleted.

    Moved are the files that the manifest lists, and last the manifest itself, so that a move that
    was interrupted goes on into the same folder. What else lies in a fold's folder stays there.

    Returns:
        The folder.

    Raises:
        VidsimError: there is no manifest, or it is not one.
    """
    pairwise = Path(data_dir) / "pairwise"
    listed = [*read_folds(data_dir).files(Path(data_dir)), pairwise / MANIFEST_NAME]
    there = [path.relative_to(pairwise) for path in listed if path.exists()]
    aside, number = pairwise / "folds.old-1", 1
    while (aside / MANIFEST_NAME).exists() or any((aside / path).exists() for path in there):
        number += 1
        aside = pairwise / f"folds.old-{number}"
    for path in there:
        (aside / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(pairwise / path, aside / path)
    for folder in {path.parent for path in listed} - {pairwise}:
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()
    return aside


def _entry(content: dict[str, Any]) -> FoldEntry:
    entry = FoldEntry(**content)
    numbers = {name: value for name, value in content.items() if name != "name"}
    for name, value in numbers.items():
        if value is not None and (not isinstance(value, int) or value < 0):
            raise ValueError(f"{name} is {value!r:.80}")
    if not isinstance(entry.name, str):
        raise ValueError(f"name is {entry.name!r:.80}")
    return entry


def _check_format(path: Path, number: object) -> None:
    if not isinstance(number, int) or number > MANIFEST_FORMAT:
        raise VidsimError(
            f"{path}: the folds have format {number!r:.80}; this vidsim reads formats up to "
            f"{MANIFEST_FORMAT}: use the vidsim that wrote them, or another --data-dir"
        )
