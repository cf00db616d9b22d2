"""What write_tfrecord has written, for the stages that read it and for its own next run."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidsim.errors import VidsimError
from vidsim.files import write_json

MANIFEST_NAME = "folds.json"
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
    """

    fold: int
    name: str
    train_pairs: int
    val_pairs: int
    val_videos: int
    val_videos_seen: int
    dropped_pairs: int = 0


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
        folds = tuple(FoldEntry(**entry) for entry in content["folds"])
        manifest = FoldManifest(content["configuration"], content["digests"], folds)
    except FileNotFoundError:
        raise VidsimError(
            f"{path} is not there: the folds are not written yet; "
            f"run `python write_tfrecord.py --data-dir {data_dir}` first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VidsimError(
            f"{path} is not a list of folds ({type(error).__name__}: {error}); delete it and run "
            f"`python write_tfrecord.py --data-dir {data_dir}` again"
        ) from None
    if not all(_FOLD_NAME.fullmatch(entry.name) for entry in folds):
        raise VidsimError(f"{path}: fold names must look like 0-5999val")
    return manifest


def write_folds(data_dir: str | Path, manifest: FoldManifest) -> None:
    """Write the manifest; do it last, since its presence says that the folds are complete."""
    write_json(Path(data_dir) / "pairwise" / MANIFEST_NAME, asdict(manifest))
