"""What is right and what is wrong with a file of each kind; nothing here raises for its content."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.repeats import drop_repeats
from vidsim.records.sidecar import find_lost
from vidsim.records.video_file import read_video_columns
from vidsim.records.video_table import VideoTable, table_from_columns
from vidsim.stages.title_check import TitleCheck
from vidsim.tasks.file_report import FileReport


def check_tags(path: Path) -> tuple[FileReport, TagVocabulary | None]:
    """The report on a tag list, and the list if it is one."""
    try:
        tags = TagVocabulary.read(path)
    except VidsimError as error:
        return FileReport(path, problems=[str(error)]), None
    return FileReport(path, f"{len(tags):,} tags"), tags


def check_videos(
    files: Sequence[Path], cache_dir: Path, tags: TagVocabulary | None, titles: TitleCheck
) -> tuple[list[FileReport], VideoTable | None]:
    """A report on each file of videos that belong together, and the table of what can be read."""
    log, reports, tables = RecordLog(skip=True), [], []
    for path in files:
        report = FileReport(path)
        reports.append(report)
        try:
            columns = read_video_columns(path, log)
        except RecordError as error:
            if error not in log.bad:
                log.add_bad(error)
            continue
        find_lost(path, columns, cache_dir, log)
        tables.append(table_from_columns(columns, path))
        report.content = f"{len(tables[-1]):,} videos"
        report.notes = [*_video_notes(tables[-1], tags), *titles.notes(tables[-1].titles)]
    table = drop_repeats(VideoTable.concat(tables), log) if tables else None
    if table is not None:
        table = replace(table, skipped=len(log.bad))
    for report in reports:
        report.problems = [str(error) for error in log.bad if error.path == report.path]
        repeated = sum(repeat.path == report.path for repeat in log.repeated)
        report.notes += [f"{repeated} repeated, read once"] * bool(repeated)
    return reports, table


def _video_notes(table: VideoTable, tags: TagVocabulary | None) -> list[str]:
    """What a video may lack, counted."""
    unlisted = 0
    if tags is not None:
        unlisted = int((~np.isin(table.tag_values, tags.ids)).sum())
    counts = {
        "without frames": int((table.n_frames == 0).sum()),
        "without title": table.titles.count(""),
        "tags not in tag_list.txt": unlisted,
    }
    return [f"{count:,} {what}" for what, count in counts.items() if count]
