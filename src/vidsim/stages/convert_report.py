"""What `vidsim convert` says of tables and of what it has written."""

from collections.abc import Iterator

from vidsim.errors import VidsimError
from vidsim.records.record_log import first_named
from vidsim.tables.data_files import Written
from vidsim.tables.feature_files import Features
from vidsim.tables.rating_list import RatingRange, Ratings
from vidsim.tables.video_list import VideoList


def say(line: str) -> None:
    """Prints a line; what belongs to the one before begins with blanks."""
    print(line if line.startswith(" ") else f"convert: {line}", flush=True)


def about_table(videos: VideoList) -> Iterator[str]:
    """How many videos a table has, and which of its columns are read."""
    known = ", ".join(
        field if field == column else f"{field} (column {column})"
        for field, column in videos.fields.items()
    )
    yield f"{videos.table.path}: {len(videos):,} videos with {known}"
    if videos.others:
        yield f"columns that are not used: {', '.join(videos.others)}"
    if videos.repeated:
        yield f"{videos.repeated:,} repeated rows are read once"


def about_ratings(ratings: Ratings, scale: RatingRange | None, path: object) -> Iterator[str]:
    """How many ratings there are, and whether they fill the scale that was named."""
    yield f"{path}: {len(ratings):,} ratings, {ratings.least:.6g} to {ratings.most:.6g}"
    if scale is not None and ratings.most <= 1 < scale.high and ratings.least >= 0:
        yield (
            f"WARNING: --rating-range {scale.low:g},{scale.high:g}, and not one rating is above 1: "
            "are they from 0 to 1 already?"
        )


def about_videos(written: Written, videos: VideoList, features: Features | None) -> Iterator[str]:
    """What was written, and which videos and features have no counterpart.

    Raises:
        VidsimError: nothing was written.
    """
    if not written.videos:
        raise VidsimError("not one video is left (see above); nothing can be learned from")
    if features is None:
        yield f"{written.videos:,} videos of texts alone: no --features and no --video-files"
        return
    frames = f"frames of {written.width[0]:,} numbers" if written.width else "no frames"
    yield f"{written.videos:,} videos, {written.size / 1e6:,.1f} MB, {frames}"
    if written.without_frames:
        yield f"{written.without_frames:,} videos without frames"
    if features.failed:
        yield f"{len(features.failed):,} videos of which no features could be made:"
        named = [f"{video.decode()}: {why}" for video, why in features.failed.items()]
        yield from first_named(named)
    known = videos.ids.find(features.ids.ids) >= 0
    if not known.all():
        others = [video.decode() for video in features.ids.ids[~known].tolist()]
        yield f"{len(others):,} videos with features are not in {videos.table.path}:"
        yield from first_named(others)
