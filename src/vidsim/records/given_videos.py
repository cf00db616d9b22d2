"""Videos that somebody has in memory into a file of records: `vidsim.write_videos`."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.records.fields import FIELDS, text_fields
from vidsim.records.given_frames import frames_of
from vidsim.records.shown import shown
from vidsim.records.video import Video
from vidsim.records.video_id import ACCEPTED_ID, is_video_id
from vidsim.records.writer import video_record, write_records

_SHORT = {"frames": schema.FRAME_FEATURE, "tags": schema.TAG_ID, "category": schema.CATEGORY_ID}
ACCEPTED = (schema.ID, *_SHORT, *FIELDS)
"""The keys of a row."""


def write_videos(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Writes videos that are in memory to a TFRecord file, whole or not at all.

    The file goes where the commands look for it: `pointwise/<any name>.tfrecords` of a data folder
    for videos to train on, `pairwise/pairwise.tfrecords` for those that are rated,
    `test_b/test_b.tfrecords` for those of the test. Rows are taken one by one, so a generator of
    any length will do.

    Args:
        path: the file, of which an old one is replaced.
        rows: a mapping for each video. `id` (a text, different for each) must be there. What else
            is known: `title`, `asr_text`, `ocr_text` (texts); `frames`, (n, d) finite numbers
            within float16, d the same for all videos of a data set and n perhaps 0; `tags`
            (integers), `category` (an integer); and other fields of `FIELDS` by their names. None
            is the same as a key that is not there.

    Returns:
        the number of videos.

    Raises:
        VidsimError: a row that is not as accepted, with its number from 0; an id a second time;
            frames of two widths; or no row at all. Nothing is written then.
    """
    count = 0

    def records() -> Iterator[bytes]:
        nonlocal count
        checks = _Checks()
        for number, row in enumerate(rows):
            try:
                video = given_video(row)
                checks.add(video)
                record = video_record(video)
            except ValueError as error:
                raise VidsimError(f"write_videos: row {number}: {error}") from None
            yield record
            count += 1
        if not count:
            raise VidsimError(f"write_videos: no row; {path} would have no video")

    write_records(Path(path), records())
    return count


def given_video(row: Mapping[str, Any]) -> Video:
    """The video of a row, as `write_videos` takes it.

    Raises:
        ValueError: it is not as accepted.
    """
    if not isinstance(row, Mapping):
        raise ValueError(f"{shown(repr(row))} is no mapping; accepted keys are {_keys()}")
    unknown = [key for key in row if key not in ACCEPTED]
    if unknown:
        raise ValueError(f"key {shown(str(unknown[0]))} is not known; accepted are {_keys()}")
    given = {_SHORT.get(key, key): value for key, value in row.items() if value is not None}
    video = given.pop(schema.ID, None)
    packed = video.encode("utf-8", "surrogatepass") if isinstance(video, str) else b""
    if not is_video_id(packed):
        raise ValueError(f"id is {shown(repr(video))}; {ACCEPTED_ID}")
    for name, value in given.items():
        given[name] = _value(name, value)
    return Video(packed.decode(), more={n: v for n, v in given.items() if v is not None})


class _Checks:
    """What rows must not have in common, and what they must."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._widths: dict[str, tuple[int, str]] = {}

    def add(self, video: Video) -> None:
        if video.id in self._ids:
            raise ValueError(f"id {shown(video.id)} again; every video has an id of its own")
        self._ids.add(video.id)
        for name, value in video.content().items():
            if FIELDS[name].in_place and len(value):
                width, first = self._widths.setdefault(name, (value.shape[1], video.id))
                if width != value.shape[1]:
                    raise ValueError(
                        f"{name}: vectors of {value.shape[1]} numbers, and those of {shown(first)} "
                        f"have {width}; one data set has one width"
                    )


def _value(name: str, value: Any) -> Any:
    """A value as its field holds it; None: there is none."""
    if FIELDS[name].in_place:
        try:
            return frames_of(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if name in text_fields():
        return value  # the field's kind says what is wrong with it
    if name == schema.CATEGORY_ID:
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ValueError(f"{name} is {shown(repr(value))}; a list of integers is expected")
    return tuple(value.tolist() if isinstance(value, np.ndarray) else value)


def _keys() -> str:
    return ", ".join(ACCEPTED)
