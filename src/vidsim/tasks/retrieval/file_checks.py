"""What is right and what is wrong with captions and their folds, for `vidsim check`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.records.video_table import VideoTable
from vidsim.tasks.file_report import FileReport
from vidsim.tasks.retrieval.captions import (
    CAPTIONS,
    DEV_CAPTIONS,
    TEST_CAPTIONS,
    Captions,
    read_captions,
    unknown_lines,
)
from vidsim.tasks.retrieval.fold_manifest import manifest_path, read_manifest

_VIDEOS = {
    CAPTIONS: ("pointwise", "pairwise"),
    DEV_CAPTIONS: ("pointwise", "pairwise"),
    TEST_CAPTIONS: ("test_b",),
}


def check_captions(common: Common, tables: Mapping[str, VideoTable | None]) -> Iterator[FileReport]:
    """A report on each file of captions that is there, and on the folds that were cut of them."""
    found = [name for name in _VIDEOS if (common.data_dir / name).exists()]
    for name in found:
        known = [tables[folder] for folder in _VIDEOS[name] if folder in tables]
        yield _of_file(common.data_dir / name, known)
    if found:
        yield from _of_folds(common)


def _of_file(path: Path, known: Sequence[VideoTable | None]) -> FileReport:
    """The report on a file; `known` has the videos of each folder, None where none is readable."""
    try:
        captions = read_captions(path)
    except VidsimError as error:
        return FileReport(path, problems=[str(error)])
    report = FileReport(path, f"{len(captions):,} captions", list(_notes(captions)))
    tables = [table for table in known if table is not None]
    if not tables:
        return report
    unknown = [set(unknown_lines(path, captions, table)) for table in tables[1:]]
    first = unknown_lines(path, captions, tables[0])
    nowhere = [line for line in first if all(line in lines for lines in unknown)]
    unread = len(tables) < len(known) or any(table.skipped for table in tables)
    if unread and nowhere:
        report.notes.append(f"{len(nowhere)} of videos that could not be read")
    else:
        among = " and ".join(map(str, tables))
        report.problems = [f"{line} among {among}" for line in nowhere]
    return report


def _notes(captions: Captions) -> Iterator[str]:
    counts = np.unique(captions.videos, return_counts=True)[1]
    least, most = counts.min(), counts.max()
    each = f"{most}" if least == most else f"{least} to {most}"
    yield f"of {len(counts):,} videos, {each} a video"
    again = len(captions) - len(set(captions.lines()))
    if again:
        yield f"{again} of them twice for the same video"


def _of_folds(common: Common) -> Iterator[FileReport]:
    path = manifest_path(common)
    if not path.exists():
        note = "not there yet: write_tfrecord.py --task retrieval makes the folds"
        yield FileReport(path, notes=[note])
        return
    try:
        manifest = read_manifest(common)
    except VidsimError as error:
        yield FileReport(path, problems=[str(error)])
        return
    for name in (CAPTIONS, DEV_CAPTIONS):
        source = common.data_dir / name
        digest = file_digest(source) if source.is_file() else None
        if digest != manifest.digests.get(source.name):
            problem = f"{path}: the folds were cut from another {source.name} than the one there is"
            yield FileReport(path, problems=[problem])
    expected = [n for entry in manifest.folds for n in (entry.train_captions, entry.val_captions)]
    for file, count in zip(manifest.files(common), expected, strict=True):
        report = FileReport(file)
        try:
            found = len(read_captions(file))
            report.content = f"{found:,} captions"
            if found != count:
                report.problems.append(f"{file}: {found} captions, and {count} were written")
        except VidsimError as error:
            report.problems.append(str(error))
        yield report
