"""Every file of a data folder read whole and judged, before hours are spent on it.

It trusts no index and writes nothing, and it starts at once: no TensorFlow, no Keras.
"""

from collections.abc import Iterator

from vidsim.config import Common
from vidsim.records.file_pattern import FilePattern
from vidsim.records.video_table import VideoTable, lost_file, lost_files, matching_files
from vidsim.stages.file_checks import Known, check_tags, check_videos
from vidsim.stages.title_check import FEWEST, TitleCheck
from vidsim.tasks.file_report import FileReport
from vidsim.tasks.registry import TASKS

_VIDEOS = "*.tfrecords"
_FOLDERS = {  # and the file of videos without which a stage cannot do
    "pointwise": _VIDEOS,
    "pairwise": "pairwise.tfrecords",
    "test_a": None,
    "test_b": "test_b.tfrecords",
}
_OPTIONAL = {  # where there are videos to train on: without ratings, without a test
    "pairwise": "not there: no ratings, pretraining validates by its own loss",
    "test_b": "not there: no test, the ensemble gives its table and no submission",
}


def run(common: Common) -> bool:
    """Check every file of the data folder; print a row for each, and last the verdict.

    Args:
        common: `data_dir` is checked; indexes are looked for there and in `save_dir`; titles are
            counted by the tokenizers of `bert_dir`, if it is given.

    Returns:
        Whether all is well. What is wrong has been printed.

    Raises:
        VidsimError: `bert_dir` has no tokenizer that is supported.
    """
    common.check_fields()
    titles = TitleCheck(common.bert_dir)
    reports = []
    for report in _reports(common, titles):
        for line in report.lines():
            print(line, flush=True)
        reports.append(report)
    if not titles.exact and any("titles" in note for report in reports for note in report.notes):
        print(f"check: {FEWEST}")
    bad = [report for report in reports if report.problems]
    if not bad:
        print(f"check: {len(reports)} files of {common.data_dir}, all well")
        return True
    count = sum(len(report.problems) for report in bad)
    print(
        f"check: {count} problem{'s' * (count > 1)} in {len(bad)} of {len(reports)} files of "
        f"{common.data_dir}"
    )
    return False


def _reports(common: Common, titles: TitleCheck) -> Iterator[FileReport]:
    """A report for each file that is there or should be."""
    path = common.data_dir / "tag_list.txt"
    report, tags = check_tags(path)
    if path.exists():
        yield report
    known = Known(tags, titles)
    tables: dict[str, VideoTable | None] = {}
    for name, needed in _FOLDERS.items():
        yield from _folder(common, name, needed, known, tables)
    for task in TASKS.values():
        yield from task.check_files(common, tables)
    if not path.exists() and known.tagged:
        yield report  # the videos have tags, and there is no list of them
    elif not path.exists():
        yield FileReport(path, notes=["not there, and not needed: no video has tags"])


def _folder(
    common: Common,
    name: str,
    needed: str | None,
    known: Known,
    tables: dict[str, VideoTable | None],
) -> Iterator[FileReport]:
    """A report for each file of a folder of videos, whose table goes to `tables`."""
    folder = common.data_dir / name
    if name in _OPTIONAL and tables["pointwise"] is not None and not folder.exists():
        tables[name] = None
        yield FileReport(folder, notes=[_OPTIONAL[name]])
        return
    videos = FilePattern(folder, _VIDEOS)
    files = matching_files(videos)
    missing = {path: lost_file(path) for path in lost_files(videos)}
    if needed and not matching_files(FilePattern(folder, needed)):
        missing.setdefault(folder / needed, f"{folder / needed}: there is no such file")
    if files:
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{videos}: {len(files)}, {size:,.1f} MB", flush=True)
    for path, problem in missing.items():
        yield FileReport(path, problems=[problem])
    reports, table = check_videos(files, common.save_dir / "index", known)
    tables[name] = table
    yield from reports
    for task in TASKS.values():
        yield from task.check_folder(common, name, table)
