"""From serialized videos to columns: the one place that knows which fields a video must have.

A video stands alone in a record of a video file, or twice in a record of a self-contained pair
file, where the field names end in _1 and _2; both are read here.
"""

from collections.abc import Mapping

import numpy as np

from vidsim import schema
from vidsim.records.frame_values import odd_frame
from vidsim.records.shown import shown
from vidsim.records.tfrecord import Record
from vidsim.records.video_id import ACCEPTED_ID, is_video_id
from vidsim.records.wire import (
    BYTES,
    EMPTY,
    INT64,
    ElementSpan,
    Feature,
    WireError,
    element_span,
)

_FRAME = f"a frame is {schema.FRAME_SIZE} float16 numbers = {schema.FRAME_BYTES} bytes"
_NO_FRAMES = ElementSpan(0, 0, schema.FRAME_BYTES)


class VideoColumns:
    """Collects videos of one file, field by field; `arrays` hands the columns over."""

    def __init__(self) -> None:
        self.ids: list[bytes] = []
        self._titles: list[bytes] = []
        self._tags: list[list[int]] = []
        self._categories: list[int] = []
        self._frames: list[ElementSpan] = []
        self._records: list[tuple[int, int, int, int]] = []

    def add(self, record: Record, features: Mapping[str, Feature], suffix: str = "") -> None:
        """Add the video of a record.

        Args:
            record: a serialized Example.
            features: what `parse_example` found in it, the frame features in place.
            suffix: "", or "_1" or "_2" in a self-contained pair.

        Raises:
            WireError: a field is missing, has another type or another size than it must have, or
                a frame has a number that is not finite.
        """
        video_id = read_id(features, schema.ID + suffix)
        title = _only_bytes(features, schema.TITLE + suffix)
        try:
            title.decode()
        except UnicodeDecodeError as error:
            raise WireError(f"{schema.TITLE + suffix} is not UTF-8: {error}") from error
        category = _optional_ints(features, schema.CATEGORY_ID + suffix)
        if len(category) > 1:
            raise WireError(f"{schema.CATEGORY_ID + suffix} has {len(category)} values; one fits")
        tags = _optional_ints(features, schema.TAG_ID + suffix)
        frames = _frames(record.payload, features, schema.FRAME_FEATURE + suffix)
        self.ids.append(video_id)
        self._titles.append(title)
        self._tags.append(tags)
        self._categories.append(category[0] if category else -1)
        self._frames.append(frames._replace(offset=frames.offset + record.offset))
        place = (record.number, record.offset, len(record.payload))
        self._records.append((*place, record.checksum))

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns, named as in VideoTable; titles as UTF-8 bytes and splits between them."""
        count, offset, stride = np.array(self._frames, np.int64).reshape(-1, 3).T
        number, start, size, checksum = np.array(self._records, np.int64).reshape(-1, 4).T
        return {
            "ids": np.array(self.ids, np.bytes_),
            "title_bytes": np.frombuffer(b"".join(self._titles), np.uint8),
            "title_splits": _splits(self._titles),
            "tag_values": np.array([tag for tags in self._tags for tag in tags], np.int64),
            "tag_splits": _splits(self._tags),
            "categories": np.array(self._categories, np.int64),
            "n_frames": count.astype(np.int32),
            "frame_offset": offset,
            "frame_stride": stride.astype(np.int32),
            "record_no": number,
            "record_offset": start,
            "record_bytes": size,
            "checksums": checksum.astype(np.uint32),
        }


def read_id(features: Mapping[str, Feature], name: str) -> bytes:
    """The id of a video.

    Raises:
        WireError: it is missing or cannot be one.
    """
    video_id = _only_bytes(features, name)
    if not is_video_id(video_id):
        raise WireError(f"{name} is {shown(video_id)}; {ACCEPTED_ID}")
    return video_id


def _required(features: Mapping[str, Feature], name: str) -> Feature:
    if name not in features:
        there = ", ".join(sorted(features)) or "none"
        raise WireError(f"field {name} is missing; there are: {there}")
    return features[name]


def _only_bytes(features: Mapping[str, Feature], name: str) -> bytes:
    kind, values = _required(features, name)
    if kind == BYTES and len(values) == 1 and isinstance(values[0], bytes):
        return values[0]
    raise WireError(f"field {name} is {len(values)} {kind} values; 1 bytes value is expected")


def _optional_ints(features: Mapping[str, Feature], name: str) -> list[int]:
    feature = features.get(name, Feature(EMPTY, ()))
    if feature.kind == EMPTY:
        return []
    if feature.kind != INT64:
        raise WireError(f"field {name} is of type {feature.kind}; int64 is expected")
    return [int(value) for value in feature.values]


def _frames(record: bytes, features: Mapping[str, Feature], name: str) -> ElementSpan:
    kind, values = _required(features, name)
    if kind == EMPTY:
        return _NO_FRAMES
    if kind != BYTES:
        raise WireError(f"field {name} is of type {kind}; bytes are expected")
    start, stop = values
    try:
        span = element_span(record, int(start), int(stop), schema.FRAME_BYTES)
    except WireError as error:
        raise WireError(f"{name}: {error}; {_FRAME}") from error
    odd = odd_frame(record, span)
    if odd is not None:
        raise WireError(f"{name}: {odd}; every number must be finite")
    return span


def _splits(lists: list) -> np.ndarray:
    return np.cumsum([0, *map(len, lists)], dtype=np.int64)
