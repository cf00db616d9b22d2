"""The videos that classification learns from, and their classes.

All videos of pointwise/*.tfrecords and of pairwise/pairwise.tfrecords that have a category_id, each
id once. Classes and their parents are those of category_list.txt, or without it the categories that
these videos have.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.preprocess.category_vocabulary import CategoryVocabulary
from vidsim.records.file_pattern import FilePattern
from vidsim.records.video_table import VideoTable, lost_files, matching_files, video_files
from vidsim.schema import CATEGORY_ID
from vidsim.tasks.data_files import PAIRWISE, POINTWISE, open_table

CATEGORY_LIST = "category_list.txt"
CATEGORY_NAMES = "category_names.txt"


@dataclass(frozen=True)
class LabelledVideos:
    """The videos with a category.

    Attributes:
        table: N videos.
        classes: (N,) int32 class numbers.
        vocabulary: the C classes, categories ascending.
        left_out: how many other videos there are, which have none.
        listed: whether the classes are those of category_list.txt.
    """

    table: VideoTable
    classes: np.ndarray
    vocabulary: CategoryVocabulary
    left_out: int
    listed: bool

    @property
    def counts(self) -> np.ndarray:
        """(C,) videos of each class."""
        return np.bincount(self.classes, minlength=len(self.vocabulary))


def open_labelled(common: Common) -> LabelledVideos:
    """Opens the data folder's videos and leaves out those without a category.

    Raises:
        VidsimError: no files of videos; no video has a category, or all have the same one; a
            category is not in the list, or the list is damaged.
    """
    table = open_table(common, _files(common.data_dir))
    column = table.number(CATEGORY_ID)
    rows = np.flatnonzero(column.present)
    if not len(rows):
        raise VidsimError(
            f"{table}: not one has a category_id, from which classification learns; it is a field "
            "of a video's record, one integer"
        )
    labelled = table if len(rows) == len(table) else table.take(rows)
    column, path = labelled.number(CATEGORY_ID), common.data_dir / CATEGORY_LIST
    listed = path.exists()
    vocabulary = CategoryVocabulary.read(path) if listed else CategoryVocabulary.of(column)
    classes = vocabulary.classes(column)
    refuse_unlisted(path, labelled, classes)
    used = np.unique(classes)
    if len(used) < 2:
        raise VidsimError(
            f"{labelled}: all have the category {vocabulary.ids[used[0]]}; classification needs "
            "videos of two categories at least"
        )
    return LabelledVideos(labelled, classes, vocabulary, len(table) - len(rows), listed)


def refuse_unlisted(path: Path, table: VideoTable, classes: np.ndarray) -> None:
    """Raises for the first video whose category is not in the list.

    Args:
        path: of the list.
        table: N videos that all have a category.
        classes: (N,) their class numbers, -1 where the list has none.

    Raises:
        VidsimError: there is one.
    """
    unknown = np.flatnonzero(classes < 0)
    if not len(unknown):
        return
    values = table.number(CATEGORY_ID).values[unknown]
    more = f"; {len(unknown)} videos have one of {len(np.unique(values))} such" * (len(unknown) > 1)
    raise table.places.error(
        int(unknown[0]), f"category_id {values[0]} is not in {path}; add it to the list{more}"
    )


def class_names(path: Path, ids: np.ndarray) -> list[str]:
    """What a picture calls the classes: names of `vidsim convert` where it left some, or the ids.

    Args:
        path: of lines "id, tab, name", which may not be there; only people read it.
        ids: (C,) categories.
    """
    lines = path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
    named = dict(line.split("\t", 1) for line in lines if "\t" in line)
    return [named.get(str(item), str(item)) for item in ids.tolist()]


def _files(data_dir: Path) -> list[Path]:
    patterns = [FilePattern(data_dir, name) for name in (POINTWISE, PAIRWISE)]
    files: list[Path] = []
    for pattern in patterns:
        if matching_files(pattern) or lost_files(pattern):
            files += video_files(pattern)  # or it says which one is gone
    if not files:
        raise VidsimError(
            f"neither {patterns[0]} nor {patterns[1]} is there; classification learns from the "
            "videos of one of them, or of both"
        )
    return files
