"""What is right and wrong with the category list and the folds, for `vidsim check`."""

from collections.abc import Iterator

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.preprocess.category_vocabulary import CategoryVocabulary
from vidsim.records.video_table import VideoTable
from vidsim.schema import CATEGORY_ID
from vidsim.tasks.classification.fold_manifest import manifest_path, read_ids, read_manifest
from vidsim.tasks.classification.labelled import CATEGORY_LIST
from vidsim.tasks.file_report import FileReport

_LEARNED_FROM = ("pointwise", "pairwise")


def check_category_list(
    common: Common, name: str, table: VideoTable | None
) -> Iterator[FileReport]:
    """The report on category_list.txt, once; and one for each folder with categories beyond it."""
    path = common.data_dir / CATEGORY_LIST
    if not path.exists():
        return
    try:
        vocabulary = CategoryVocabulary.read(path)
    except VidsimError as error:
        if name == _LEARNED_FROM[0]:
            yield FileReport(path, problems=[str(error)])
        return
    if name == _LEARNED_FROM[0]:
        parents = len(vocabulary.parent_ids)
        yield FileReport(path, f"{len(vocabulary):,} categories", [f"{parents:,} parents"])
    if table is None or not table.has(CATEGORY_ID):
        return
    column = table.number(CATEGORY_ID)
    unknown = np.flatnonzero(column.present & (vocabulary.classes(column) < 0))
    problems = [
        str(table.places.error(row, f"category_id {column.values[row]} is not in {path}"))
        for row in unknown.tolist()
    ]
    if problems:
        yield FileReport(path, problems=problems)


def check_class_folds(common: Common) -> Iterator[FileReport]:
    """A report on each file of the folds; nothing where they are not written."""
    if not manifest_path(common).exists():
        return
    try:
        files = read_manifest(common).files(common)
    except VidsimError as error:
        yield FileReport(manifest_path(common), problems=[str(error)])
        return
    for path, digest in files.items():
        try:
            yield FileReport(path, f"{len(read_ids(path, digest)):,} videos")
        except VidsimError as error:
            yield FileReport(path, problems=[str(error)])
