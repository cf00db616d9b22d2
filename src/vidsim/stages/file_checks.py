"""What is right and what is wrong with a file of each kind; nothing here raises for its content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.preprocess.cuts import MOST_FRAMES, frames_left
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.records.fields import FIELDS
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.sidecar import find_lost
from vidsim.records.video_file import read_videos
from vidsim.records.video_table import VideoTable, table_of, without_repeats
from vidsim.stages.title_check import TitleCheck
from vidsim.tasks.file_report import FileReport


@dataclass
class Known:
    """What the files that were checked before say of those that follow.

    Attributes:
        tags: the tag list, if there is one.
        titles: counts long ones.
        tagged: a file whose videos have tags.
        widths: of the vectors of each stream, and the first file that has some.
    """

    tags: TagVocabulary | None
    titles: TitleCheck
    tagged: Path | None = None
    widths: dict[str, tuple[int, Path]] = field(default_factory=dict)


def check_tags(path: Path) -> tuple[FileReport, TagVocabulary | None]:
    """The report on a tag list, and the list if it is one."""
    try:
        tags = TagVocabulary.read(path)
    except VidsimError as error:
        return FileReport(path, problems=[str(error)]), None
    return FileReport(path, f"{len(tags):,} tags"), tags


def check_videos(
    files: Sequence[Path], cache_dir: Path, known: Known
) -> tuple[list[FileReport], VideoTable | None]:
    """A report on each file of videos that belong together, and the table of what can be read."""
    log, reports, tables = RecordLog(skip=True), [], []
    odd: dict[Path, list[str]] = {}
    for path in files:
        report = FileReport(path)
        reports.append(report)
        try:
            videos = read_videos(path, log)
        except RecordError as error:
            if error not in log.bad:
                log.add_bad(error)
            continue
        find_lost(path, videos, cache_dir, log)
        tables.append(table_of(videos))
        report.content = f"{len(tables[-1]):,} videos"
        report.notes = [*_video_notes(tables[-1], known), *_title_notes(tables[-1], known)]
        odd[path] = list(_other_widths(tables[-1], known))
    table = without_repeats(VideoTable.concat(tables), log) if tables else None
    if table is not None:
        table = replace(table, skipped=len(log.bad))
    for report in reports:
        report.problems = [str(error) for error in log.bad if error.path == report.path]
        report.problems += odd.get(report.path, [])
        repeated = sum(repeat.path == report.path for repeat in log.repeated)
        report.notes += [f"{repeated} repeated, read once"] * bool(repeated)
    return reports, table


def _video_notes(table: VideoTable, known: Known) -> list[str]:
    """What the videos of a file have, what some of them lack, and what is not read of them."""
    notes, count = [], {}
    frames = table.stream(schema.FRAME_FEATURE)
    if frames.width is None:
        notes.append("no frames")
    else:
        notes.append(f"frames of {frames.width} numbers")
        count["without frames"] = int((frames.count == 0).sum())
    if table.has(schema.TITLE):
        count["without title"] = int((np.diff(table.text(schema.TITLE).splits) == 0).sum())
    else:
        notes.append("no titles")
    if table.has(schema.TAG_ID):
        known.tagged = known.tagged or table.paths[0]
        if known.tags is not None:
            values = table.numbers(schema.TAG_ID).values
            count["tags not in tag_list.txt"] = int((~np.isin(values, known.tags.ids)).sum())
    else:
        notes.append("no tags")
    left = frames_left(frames.count.tolist(), MOST_FRAMES)
    more = [left.text()] if left.count else []
    return [*notes, *(f"{number:,} {what}" for what, number in count.items() if number), *more]


def _title_notes(table: VideoTable, known: Known) -> Iterator[str]:
    return known.titles.notes(table.text(schema.TITLE))


def _other_widths(table: VideoTable, known: Known) -> Iterator[str]:
    """A problem for each stream whose vectors are of another width than those of other files."""
    (path,) = table.paths
    for name, kind in FIELDS.items():
        width = table.width(name) if kind.in_place else None
        if width is None:
            continue
        wanted, first = known.widths.setdefault(name, (width, path))
        if width != wanted:
            yield (
                f"{path}: {name} has vectors of {width} numbers, and those of {first} have "
                f"{wanted}; all files of a data set must have one width"
            )
