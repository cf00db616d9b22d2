"""From serialized videos to columns: the one place that knows which fields a video must have.

A video stands alone in a record of a video file, or twice in a record of a self-contained pair
file, where the field names end in _1 and _2; both are read here.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.records.record_error import RecordError
from vidsim.records.tfrecord import HEADER_BYTES, iter_records
from vidsim.records.wire import (
    BYTES,
    EMPTY,
    INT64,
    ElementSpan,
    Feature,
    WireError,
    element_span,
    parse_example,
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
        self._checksums: list[int] = []

    def add(
        self,
        record: bytes,
        features: Mapping[str, Feature],
        offset: int,
        checksum: int,
        suffix: str = "",
    ) -> None:
        """Add the video of a record.

        Args:
            record: the serialized Example.
            features: what `parse_example` found in it, the frame features in place.
            offset: where the payload begins in its file.
            checksum: the payload's masked crc32c.
            suffix: "", or "_1" or "_2" in a self-contained pair.

        Raises:
            WireError: a field is missing, has another type or another size than it must have.
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
        frames = _frames(record, features, schema.FRAME_FEATURE + suffix)
        self.ids.append(video_id)
        self._titles.append(title)
        self._tags.append(tags)
        self._categories.append(category[0] if category else -1)
        self._frames.append(frames._replace(offset=frames.offset + offset))
        self._checksums.append(checksum)

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns, named as in VideoTable; titles as UTF-8 bytes and splits between them."""
        count, offset, stride = np.array(self._frames, np.int64).reshape(-1, 3).T
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
            "checksums": np.array(self._checksums, np.uint32),
        }


def read_video_columns(path: Path) -> dict[str, np.ndarray]:
    """Read every video of a file, verifying each record; frame features stay where they are.

    Raises:
        RecordError: a record is damaged, is not a video, or repeats an id.
    """
    columns = VideoColumns()
    seen: dict[bytes, int] = {}
    for number, (offset, payload, checksum) in enumerate(iter_records(path)):
        try:
            features = parse_example(payload, frozenset((schema.FRAME_FEATURE,)))
            columns.add(payload, features, offset, checksum)
        except WireError as error:
            raise RecordError(path, number, offset - HEADER_BYTES, str(error)) from error
        video_id = columns.ids[-1]
        if video_id in seen:
            reason = f"id {video_id.decode()} stands in record {seen[video_id]} already"
            raise RecordError(path, number, offset - HEADER_BYTES, reason)
        seen[video_id] = number
    return columns.arrays()


def read_id(features: Mapping[str, Feature], name: str) -> bytes:
    """The id of a video: not empty, UTF-8, without NUL (which numpy's bytes type would drop).

    Raises:
        WireError: it is missing or not like that.
    """
    video_id = _only_bytes(features, name)
    try:
        fits = bool(video_id.decode()) and b"\0" not in video_id
    except UnicodeDecodeError:
        fits = False
    if not fits:
        raise WireError(f"{name} is {video_id!r}; a text of one character or more is expected")
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
        return element_span(record, int(start), int(stop), schema.FRAME_BYTES)
    except WireError as error:
        raise WireError(f"{name}: {error}; {_FRAME}") from error


def _splits(lists: list) -> np.ndarray:
    return np.cumsum([0, *map(len, lists)], dtype=np.int64)
