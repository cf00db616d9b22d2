"""From serialized videos to columns, for one file.

A video stands alone in a record of a video file, or twice in a record of a self-contained pair
file, where the field names end in _1 and _2; both are read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsim import schema
from vidsim.records.field_columns import ColumnSource, InMemory
from vidsim.records.fields import FIELDS
from vidsim.records.places import Places
from vidsim.records.shown import shown
from vidsim.records.tfrecord import Record
from vidsim.records.video_id import ACCEPTED_ID, is_video_id
from vidsim.records.wire import BYTES, EMPTY, Feature, WireError

_ABSENT = Feature(EMPTY, ())


@dataclass(frozen=True, eq=False)
class FileVideos:
    """The N videos of one file.

    Attributes:
        ids: (N,) bytes.
        places: of their records.
        columns: gives their fields.
    """

    ids: np.ndarray
    places: Places
    columns: ColumnSource


class VideoColumns:
    """Collects videos of one file, field by field; `videos` hands them over."""

    def __init__(self) -> None:
        self.ids: list[bytes] = []
        self._values: dict[str, list[Any]] = {name: [] for name in FIELDS}
        self._widths: dict[str, int] = {}
        self._records: list[tuple[int, int, int, int]] = []

    def add(self, record: Record, features: Mapping[str, Feature], suffix: str = "") -> None:
        """Add the video of a record.

        Args:
            record: a serialized Example.
            features: what `parse_example` found in it, the streams in place.
            suffix: "", or "_1" or "_2" in a self-contained pair.

        Raises:
            WireError: it has no id; or a field has another type or size than it must have, or a
                vector has a number that is not finite.
        """
        video_id = read_id(features, schema.ID + suffix)
        values = {}
        for name, kind in FIELDS.items():
            feature = features.get(name + suffix, _ABSENT)
            values[name] = kind.parse(name + suffix, feature, record, self._widths.get(name))
        for name, value in values.items():
            self._values[name].append(value)
            width = FIELDS[name].width_of(value)
            if width is not None:
                self._widths[name] = width
        self.ids.append(video_id)
        place = (record.number, record.offset, len(record.payload))
        self._records.append((*place, record.checksum))

    def videos(self, path: Path) -> FileVideos:
        """The videos of the file with this path."""
        number, start, size, checksum = np.array(self._records, np.int64).reshape(-1, 4).T.copy()
        file_no = np.zeros(len(self.ids), np.int32)
        places = Places((path,), file_no, number, start, size, checksum.astype(np.uint32))
        columns = {name: FIELDS[name].collect(values) for name, values in self._values.items()}
        return FileVideos(np.array(self.ids, np.bytes_), places, InMemory(columns, len(self.ids)))


def read_id(features: Mapping[str, Feature], name: str) -> bytes:
    """The id of a video.

    Raises:
        WireError: it is missing or cannot be one.
    """
    if name not in features:
        there = ", ".join(sorted(features)) or "none"
        raise WireError(f"field {name} is missing; there are: {there}")
    kind, values = features[name]
    if kind != BYTES or len(values) != 1 or not isinstance(values[0], bytes):
        raise WireError(f"field {name} is {len(values)} {kind} values; 1 bytes value is expected")
    if not is_video_id(values[0]):
        raise WireError(f"{name} is {shown(values[0])}; {ACCEPTED_ID}")
    return values[0]
