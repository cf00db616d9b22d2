"""folds/retrieval/folds.json: how the captions were cut, and of what."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.tasks.folds import MANIFEST, fold_dir, folds_dir

TASK = "retrieval"
FORMAT = 1
TRAIN_FILE, VAL_FILE = "train.tsv", "val.tsv"


@dataclass(frozen=True)
class CaptionFold:
    """One fold as written.

    Attributes:
        fold: its number, from 0.
        train_captions, val_captions: sentences of each part.
        train_videos, val_videos: different videos in them; none is in both.
    """

    fold: int
    train_captions: int
    train_videos: int
    val_captions: int
    val_videos: int


@dataclass(frozen=True)
class CaptionManifest:
    """All folds, and what they were made of.

    Attributes:
        configuration: `num_folds`, `fold_seed`, and whether the split was `given`.
        digests: of the files of captions and of the videos.
        folds: in order.
    """

    configuration: dict[str, Any]
    digests: dict[str, str]
    folds: tuple[CaptionFold, ...]

    def files(self, common: Common) -> list[Path]:
        """The files of all folds, the two of a fold together."""
        folders = [fold_dir(common, TASK, entry.fold) for entry in self.folds]
        return [folder / name for folder in folders for name in (TRAIN_FILE, VAL_FILE)]

    def write(self, common: Common) -> None:
        """Done last, since its presence says that the folds are complete."""
        write_json(manifest_path(common), {"format": FORMAT, **asdict(self)})


def manifest_path(common: Common) -> Path:
    """Where the manifest lies."""
    return folds_dir(common, TASK) / MANIFEST


def read_manifest(common: Common) -> CaptionManifest:
    """What folds there are.

    Raises:
        VidsimError: they are not written yet, are of a later version, or the file is damaged.
    """
    path = manifest_path(common)
    again = f"`python write_tfrecord.py --task {TASK} --data-dir {common.data_dir}`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise VidsimError(
                f"{path}: the folds have format {content['format']!r:.80}; this vidsim reads "
                f"format {FORMAT}: use the vidsim that wrote them, or another --data-dir"
            )
        folds = tuple(CaptionFold(**entry) for entry in content["folds"])
        numbers = [value for entry in folds for value in asdict(entry).values()]
        if [entry.fold for entry in folds] != list(range(len(folds))) or not folds:
            raise ValueError("its folds are not numbered from 0")
        if not all(isinstance(value, int) and value >= 0 for value in numbers):
            raise ValueError("a count is no number")
        return CaptionManifest(dict(content["configuration"]), dict(content["digests"]), folds)
    except FileNotFoundError:
        raise VidsimError(
            f"{path} is not there: the folds are not written yet; run {again} first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VidsimError(
            f"{path} is not a list of folds ({type(error).__name__}: {error}); delete it and run "
            f"{again} again"
        ) from None
