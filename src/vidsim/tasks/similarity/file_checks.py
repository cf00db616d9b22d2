"""What is right and what is wrong with ratings and folds of rated pairs, for `vidsim check`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.files import file_digest
from vidsim.records.fold_manifest import MANIFEST_NAME, read_folds
from vidsim.records.labels import label_notes, read_labels
from vidsim.records.pairs import read_pair_file
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.video_table import VideoTable
from vidsim.tasks.data_files import find_pairs, unknown_videos
from vidsim.tasks.file_report import FileReport


def check_labels(path: Path, table: VideoTable | None) -> FileReport:
    """The report on a label.tsv; `table` has the videos that it may name."""
    try:
        pairs = read_labels(path)
    except VidsimError as error:
        return FileReport(path, problems=[str(error)])
    report = FileReport(path, f"{len(pairs):,} ratings", label_notes(pairs))
    if table is not None:
        unknown = unknown_videos(path, pairs, find_pairs(table, pairs))
        if table.skipped and unknown:
            report.notes.append(f"{len(unknown)} of videos that could not be read")
        else:
            report.problems = [f"{line} among {table}" for line in unknown]
    return report


def check_folds(data_dir: Path, table: VideoTable | None) -> Iterator[FileReport]:
    """A report on each file of the folds; `table` has the videos that they may name."""
    manifest = data_dir / "pairwise" / MANIFEST_NAME
    if not manifest.exists():
        yield FileReport(manifest, notes=["not there yet: write_tfrecord.py makes the folds"])
        return
    try:
        folds = read_folds(data_dir)
    except VidsimError as error:
        yield FileReport(manifest, problems=[str(error)])
        return
    labels = manifest.with_name("label.tsv")
    if labels.is_file() and folds.digests.get(labels.name) not in (None, file_digest(labels)):
        problem = f"{manifest}: the folds were cut from another {labels.name} than the one there is"
        yield FileReport(manifest, problems=[problem])
    counts = [count for fold in folds.folds for count in (fold.train_pairs, fold.val_pairs)]
    for path, expected in zip(folds.files(data_dir), counts, strict=True):
        yield _check_fold(path, expected, table)


def _check_fold(path: Path, expected: int, table: VideoTable | None) -> FileReport:
    report, log = FileReport(path), RecordLog(skip=True)
    try:
        pairs, own_videos = read_pair_file(path, log, expected)
        report.content = f"{len(pairs):,} pairs"
        if table is not None and own_videos is None and not table.skipped:
            table.rows_of(np.concatenate((pairs.id_1, pairs.id_2)))
    except RecordError as error:
        if error not in log.bad:
            log.add_bad(error)
    except VidsimError as error:
        report.problems.append(f"{path}: {error}")
    report.problems += [str(error) for error in log.bad]
    return report
