"""A file of probabilities as inference wrote it, checked when it is read."""

import zipfile
from pathlib import Path

import numpy as np

from vidsim.blending.member_file import name_ids
from vidsim.errors import VidsimError
from vidsim.schema import CLASSES, ID, PROBABILITIES

_SUM = 1e-3  # how far from one a row may add up to
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile)


def read_probabilities(path: Path, ids: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(N, C) float64 probabilities of the videos asked for, in that order.

    Args:
        path: an .npz with `id` (N,) str, `probabilities` (N, C) and `classes` (C,) category ids.
        ids: (N,) str, unique.
        classes: (C,) the category of each column that is expected.

    Raises:
        VidsimError: an unreadable file, other ids or other classes, or rows that are no
            probabilities.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            found, columns = content[ID], content[CLASSES]
            values = np.asarray(content[PROBABILITIES], np.float64)
    except _UNREADABLE as error:
        raise VidsimError(
            f"{path}: not a readable file of probabilities ({type(error).__name__}: {error})"
        ) from None
    if not np.array_equal(columns, classes):
        raise VidsimError(
            f"{path}: probabilities of {len(columns)} categories, and the data folder's classes "
            f"are {len(classes)} or others; train and predict again"
        )
    if values.shape != (len(found), len(classes)):
        raise VidsimError(
            f"{path}: {PROBABILITIES!r} has shape {values.shape}; accepted is "
            f"({len(found)}, {len(classes)}): a row an id, a column a class"
        )
    place = {name: row for row, name in enumerate(found.tolist())}
    wanted = ids.tolist()
    if len(place) != len(found) or place.keys() != set(wanted):
        odd = sorted(place.keys() ^ set(wanted)) or found.tolist()
        raise VidsimError(
            f"{path}: of other videos than those there are now ({name_ids(odd)}); make it again"
        )
    values = values[[place[name] for name in wanted]]
    bad = np.flatnonzero(~(np.abs(values.sum(axis=1) - 1) <= _SUM) | (values < 0).any(axis=1))
    if len(bad):
        raise VidsimError(f"{path}: no probabilities for {name_ids([wanted[r] for r in bad])}")
    return values
