"""The features of a table's videos: of another program, or extracted from the videos themselves."""

import re
from pathlib import Path

import numpy as np

from vidsim.errors import VidsimError
from vidsim.records.feature_origin import FeatureOrigin
from vidsim.records.shown import shown
from vidsim.tables.feature_files import Features, open_features
from vidsim.tables.row_log import RowLog
from vidsim.tables.video_list import VideoList

EXTRACTOR, MAX_FRAMES = "efficientnet_lite0", 32


def extracted(
    videos: VideoList, folder: Path, out: Path, extractor: str, sampling: tuple[int, float | None]
) -> None:
    """Extracts features of raw videos, those that are not there yet.

    Args:
        videos: of the table; a column file says which file is whose.
        folder: of the files.
        out: the folder of features.
        extractor: as --extractor names it.
        sampling: --max-frames and --fps.

    Raises:
        VidsimError: no such folder or extractor, or features of another origin are there.
    """
    from vidsim.extractors.registry import load_extractor
    from vidsim.stages.extract import extract_features
    from vidsim.video_files.sampling import Sampling
    from vidsim.video_files.sources import named_videos

    named = ((video.id.decode(), video.file) for video in videos.videos())
    sources = named_videos(folder, named, str(videos.table.path))
    for note in sources.notes:
        print(f"extract: {note}", flush=True)
    how = load_extractor(extractor), Sampling(*sampling)
    print(f"extract: {extract_features(sources.files, *how, out)}", flush=True)


def extraction(
    extractor: str | None, max_frames: int | None, fps: float | None, origin: FeatureOrigin | None
) -> tuple[str, tuple[int, float | None]]:
    """How features are to be made: as flags say, else as those that the models know were made.

    Args:
        extractor: of --extractor.
        max_frames: of --max-frames.
        fps: of --fps.
        origin: of the models' features, where it is known.

    Returns:
        the extractor's name, and (max_frames, fps).
    """
    count = rate = None
    if origin is not None and max_frames is None and fps is None:
        count = re.fullmatch(r"(\d+) frames? at bin centres", origin.sampling)
        rate = re.fullmatch(r"(\d[\d.e+-]*) frames? a second", origin.sampling)
    named = extractor or (origin.extractor if origin is not None else EXTRACTOR)
    frames = int(count[1]) if count else max_frames or MAX_FRAMES
    return named, (frames, float(rate[1]) if rate else fps)


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
