"""The features of a table's videos: of another program, or extracted from the videos themselves."""

from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.shown import shown
from vidsim.tables.feature_files import Features, open_features
from vidsim.tables.row_log import RowLog
from vidsim.tables.video_list import VideoList

EXTRACTED = "features"
"""The folder beside what is made of it."""


def extracted(
    videos: VideoList, folder: Path, out: Path, extractor: str, sampling: tuple[int, float | None]
) -> Path:
    """Extracts features of raw videos, those that are not there yet.

    Args:
        videos: of the table; a column file says which file is whose.
        folder: of the files.
        out: for `features/`.
        extractor: as --extractor names it.
        sampling: --max-frames and --fps.

    Returns:
        the folder of features.

    Raises:
        VidsimError: no such folder or extractor, or features of another origin are there.
    """
    from vidsim.extractors.registry import load_extractor  # pyright: ignore[reportMissingImports]
    from vidsim.stages.extract import extract_features  # pyright: ignore[reportMissingImports]
    from vidsim.video_files.sampling import Sampling  # pyright: ignore[reportMissingImports]
    from vidsim.video_files.sources import named_videos  # pyright: ignore[reportMissingImports]

    named = ((video.id.decode(), video.file) for video in videos.videos())
    sources = named_videos(folder, named, str(videos.table.path))
    for note in sources.notes:
        print(note, flush=True)
    made = out / EXTRACTED
    extract_features(sources.files, load_extractor(extractor), Sampling(*sampling), made)
    return made


def find_features(
    videos: VideoList, path: Path, scratch: Path, log: RowLog
) -> tuple[Features, np.ndarray]:
    """The features of a table's videos.

    A video may be without where it is known why none could be made of it; it has no frames then.

    Args:
        videos: of the table.
        path: a folder, or an archive.
        scratch: a folder for what is unpacked of a compressed archive.
        log: takes videos without features.

    Returns:
        The features, and (N,) bool: the videos that are to be left out, for lack of any.

    Raises:
        VidsimError: a video has none, unless the log skips those; or no video has any.
    """
    features = open_features(path, scratch)
    ids = videos.ids.ids
    absent = features.ids.find(ids) < 0
    failed = np.array([video in features.failed for video in ids.tolist()]) & absent
    if (absent & ~failed).all() and not failed.any():
        one, other = (found[0].decode() for found in (ids, features.ids.ids))
        raise VidsimError(
            f"{path}: not one of its {len(features.ids):,} ids is in {videos.table.path}: there an "
            f"id is {shown(one)}, here {shown(other)}"
        )
    missing = absent & ~failed
    count = int(missing.sum())
    for row in np.flatnonzero(missing).tolist():
        more = f" ({count - 1:,} more videos have none)" if count > 1 and not log.skip else ""
        log.bad(
            videos.table.path,
            str(videos.table.path),
            f"id {shown(ids[row].decode())}: no features of it in {path}{more}; make them, take "
            "the row out, or leave such videos out by --on-bad-record skip",
        )
    return features, missing
