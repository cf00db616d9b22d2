"""The ensemble's members: one embedding matrix per recipe and fold, read strictly.

A blend adds row n of one file to row n of another. If the two rows were not the same video the
result would still look like a result, so ids are compared before anything is added.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.files import atomic_file
from vidsim.schema import EMBEDDING, ID

_NAMED = 3  # how many ids an error spells out


def member_path(save_dir: Path, recipe: str, fold: int) -> Path:
    """Embeddings of every test video by the recipe's model of this fold."""
    return Path(save_dir) / "inference" / recipe / f"fold{fold}.npz"


def validation_path(save_dir: Path, recipe: str, fold: int) -> Path:
    """Embeddings of the videos of the fold's validation pairs by the same model."""
    return Path(save_dir) / "inference" / recipe / f"fold{fold}_val.npz"


def name_ids(ids: Sequence[str]) -> str:
    """The first few ids and how many more there are, for an error message."""
    rest = len(ids) - _NAMED
    return ", ".join(map(str, ids[:_NAMED])) + (f" and {rest} more" if rest > 0 else "")


def load_member(path: Path, ids: np.ndarray) -> np.ndarray:
    """Reads one member with its rows in the order of ``ids``.

    Args:
        path: .npz with ``id`` (N,) str and ``embedding`` (N, D), rows in any order.
        ids: (N,) str, unique: the videos that must be there, in the order wanted.

    Returns:
        (N, D) float32.

    Raises:
        VidsimError: an unreadable file, other ids than ``ids``, an id twice, a value that is not
            finite.
    """
    found, embedding = _read(path)
    order = _order(path, found, ids)
    broken = found[~np.isfinite(embedding).all(axis=1)].tolist()
    if broken:
        raise VidsimError(
            f"{path}: values that are not finite for {name_ids(broken)}; make it again, or train "
            "this fold again if its model has diverged"
        )
    return embedding if order is None else embedding[order]


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            ids, embedding = arrays[ID], arrays[EMBEDDING]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise VidsimError(
            f"{path}: not an .npz file with {ID!r} and {EMBEDDING!r} ({error})"
        ) from error
    if embedding.ndim != 2 or ids.shape != embedding.shape[:1] or embedding.shape[1] == 0:
        raise VidsimError(
            f"{path}: {ID!r} has shape {ids.shape} and {EMBEDDING!r} {embedding.shape}; accepted "
            "are (N,) and (N, D)"
        )
    if ids.dtype.kind != "U" or embedding.dtype.kind != "f":
        raise VidsimError(
            f"{path}: {ID!r} is {ids.dtype} and {EMBEDDING!r} {embedding.dtype}; accepted are text "
            "and floating-point numbers"
        )
    return ids, embedding.astype(np.float32, copy=False)


def _order(path: Path, found: np.ndarray, ids: np.ndarray) -> np.ndarray | None:
    """The rows of ``found`` in the order of ``ids``; None where they are in it already."""
    if np.array_equal(found, ids):
        return None
    row = {name: at for at, name in enumerate(found.tolist())}
    if len(row) != len(found):
        twice = [name for at, name in enumerate(found.tolist()) if row[name] != at]
        raise VidsimError(f"{path}: more than one row for {name_ids(twice)}")
    wanted = ids.tolist()
    missing = [name for name in wanted if name not in row]
    extra = sorted(row.keys() - set(wanted))
    if missing or extra:
        parts = [f"no row for {name_ids(missing)}"] if missing else []
        parts += [f"rows for {name_ids(extra)}, which this data set does not ask for"] * bool(extra)
        raise VidsimError(f"{path}: {'; '.join(parts)}; make it again: it is of other data")
    return np.array([row[name] for name in wanted], np.intp)


def save_member(path: Path, ids: np.ndarray, embedding: np.ndarray) -> None:
    """Writes one member, whole or not at all.

    Args:
        path: from ``member_path`` or ``validation_path``.
        ids: (N,) bytes or str.
        embedding: (N, D) of any float type; stored as float32.
    """
    text = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids
    with atomic_file(path) as file:
        np.savez(file, **{ID: text, EMBEDDING: embedding.astype(np.float32)})
