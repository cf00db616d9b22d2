"""Every file of a data folder read whole and judged, before hours are spent on it.

It trusts no index and writes nothing, and it starts at once: no TensorFlow, no Keras.
"""

from collections.abc import Iterator

from vidsim.config import Common
from vidsim.errors import VidsimError
from vidsim.preprocess.tag_vocabulary import TagVocabulary
from vidsim.records.video_table import lost_file, lost_files, matching_files
from vidsim.stages.file_checks import check_folds, check_labels, check_tags, check_videos
from vidsim.stages.file_report import FileReport

_VIDEOS = "*.tfrecords"
_FOLDERS = {  # and the file of videos without which a stage cannot do
    "pointwise": _VIDEOS,
    "pairwise": "pairwise.tfrecords",
    "test_a": None,
    "test_b": "test_b.tfrecords",
}


def run(common: Common) -> None:
    """Check every file of the data folder and print a row for each.

    Args:
        common: `data_dir` is checked; indexes are looked for there and in `save_dir`.

    Raises:
        VidsimError: something is wrong; what it is has been printed.
    """
    common.check_fields()
    reports = []
    for report in _reports(common):
        for line in report.lines():
            print(line, flush=True)
        reports.append(report)
    bad = [report for report in reports if report.problems]
    if bad:
        count = sum(len(report.problems) for report in bad)
        raise VidsimError(
            f"{count} problem{'s' * (count > 1)} in {len(bad)} of {len(reports)} files of "
            f"{common.data_dir}"
        )
    print(f"check: {len(reports)} files of {common.data_dir}, all well")


def _reports(common: Common) -> Iterator[FileReport]:
    """A report for each file that is there or should be."""
    report, tags = check_tags(common.data_dir / "tag_list.txt")
    yield report
    for name, needed in _FOLDERS.items():
        yield from _folder(common, name, needed, tags)


def _folder(
    common: Common, name: str, needed: str | None, tags: TagVocabulary | None
) -> Iterator[FileReport]:
    folder = common.data_dir / name
    files = matching_files(folder / _VIDEOS)
    missing = {path: lost_file(path) for path in lost_files(folder / _VIDEOS)}
    if needed and not matching_files(folder / needed):
        missing.setdefault(folder / needed, f"{folder / needed}: there is no such file")
    if files:
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{folder / _VIDEOS}: {len(files)}, {size:,.1f} MB", flush=True)
    for path, problem in missing.items():
        yield FileReport(path, problems=[problem])
    reports, table = check_videos(files, common.save_dir / "index", tags)
    yield from reports
    if name == "pairwise" or (folder / "label.tsv").exists():
        yield check_labels(folder / "label.tsv", table)
    if name == "pairwise":
        yield from check_folds(common.data_dir, table)
