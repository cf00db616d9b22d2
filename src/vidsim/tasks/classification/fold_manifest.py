"""The folds of classification on disk: ids of videos, one a line, and one manifest.

`folds/classification/folds.json`, and beside it `fold<k>/train.txt` and `fold<k>/val.txt`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import atomic_file, file_digest, write_json
from vidsim.tasks.folds import MANIFEST, fold_dir, folds_dir

TASK = "classification"
TRAIN_FILE, VAL_FILE = "train.txt", "val.txt"
FORMAT = 1


@dataclass(frozen=True)
class ClassFold:
    """One fold as written: its number, how many videos, and the sha256 of both files."""

    fold: int
    train_videos: int
    val_videos: int
    train_sha256: str
    val_sha256: str


@dataclass(frozen=True)
class ClassManifest:
    """The content of folds.json.

    Attributes:
        configuration: what the folds were cut with.
        digests: of the contents that they were cut of, by name.
        folds: in order.
    """

    configuration: Mapping[str, Any]
    digests: Mapping[str, str]
    folds: tuple[ClassFold, ...]

    def files(self, common: Common) -> dict[Path, str]:
        """Every file of every fold, to its sha256."""
        found = {}
        for entry in self.folds:
            folder = fold_dir(common, TASK, entry.fold)
            found[folder / TRAIN_FILE] = entry.train_sha256
            found[folder / VAL_FILE] = entry.val_sha256
        return found

    def write(self, common: Common) -> None:
        """Writes the manifest; last of all, since its presence says that the folds are complete."""
        write_json(manifest_path(common), {"format": FORMAT, **asdict(self)})


def manifest_path(common: Common) -> Path:
    """Where the manifest lies."""
    return folds_dir(common, TASK) / MANIFEST


def read_manifest(common: Common) -> ClassManifest:
    """Reads what folds there are.

    Raises:
        VidsimError: they are not written yet, or the manifest is not one.
    """
    path = manifest_path(common)
    again = f"python write_tfrecord.py --task {TASK} --data-dir {common.data_dir}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise VidsimError(
                f"{path}: folds of format {content['format']!r:.20}; this version of vidsim reads "
                f"{FORMAT}"
            )
        folds = tuple(ClassFold(**entry) for entry in content["folds"])
        if not folds or [entry.fold for entry in folds] != list(range(len(folds))):
            raise ValueError("folds that are not 0, 1, ...")
        return ClassManifest(dict(content["configuration"]), dict(content["digests"]), folds)
    except FileNotFoundError:
        raise VidsimError(
            f"{path} is not there: the folds are not written yet; run `{again}` first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VidsimError(
            f"{path} is not a list of folds ({type(error).__name__}: {error}); delete it and run "
            f"`{again}` again"
        ) from None


def write_ids(path: Path, ids: np.ndarray) -> str:
    """Writes ids (N,) bytes, one a line; returns the sha256 of the file."""
    with atomic_file(path) as file:
        file.write(b"".join(video + b"\n" for video in ids.tolist()))
    return file_digest(path)


def read_ids(path: Path, digest: str) -> np.ndarray:
    """Reads what `write_ids` wrote: (N,) bytes.

    Raises:
        VidsimError: the file is gone, or is not what was written.
    """
    if not path.is_file():
        raise VidsimError(f"{path}: there is no such file, but {MANIFEST} lists it")
    if file_digest(path) != digest:
        raise VidsimError(
            f"{path}: changed since it was written ({MANIFEST} has another sha256); make the folds "
            "again by write_tfrecord.py --redo"
        )
    return np.array(path.read_bytes().split(b"\n")[:-1], np.bytes_)
