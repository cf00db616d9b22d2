"""The index file of a TFRecord file, in every format that was ever written.

A numpy archive that packs nothing: a key, the bad records, ids and places of the videos, and for
each field that some video has the members of its column, which are read when they are asked for.
Format 2 had the columns of four fields by other names, and frames of 1536 numbers only.
"""

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsim import schema
from vidsim.files import atomic_file
from vidsim.records.columns import Column
from vidsim.records.fields import FIELDS
from vidsim.records.index_checks import RECORDS, are_records, is_header
from vidsim.records.number_fields import NumberColumn, NumbersColumn
from vidsim.records.places import Places
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog
from vidsim.records.stream_field import StreamColumn
from vidsim.records.text_field import TextColumn
from vidsim.records.video_columns import FileVideos

INDEX_FORMAT = 3  # raise it when the members change
_KEY, _BAD, _FIELDS, _IDS = "index_key", "bad_records", "fields", "ids"
_KINDS: dict[str, type[Column]] = {
    "text": TextColumn,
    "stream": StreamColumn,
    "numbers": NumbersColumn,
    "number": NumberColumn,
}
_NAMES = {column: kind for kind, column in _KINDS.items()}
_WIDTH_2, _STRIDE_2 = 1536, 3075  # of the frames of format 2
_OF_FORMAT_2 = {  # field -> members
    schema.TITLE: ("title_bytes", "title_splits"),
    schema.TAG_ID: ("tag_values", "tag_splits"),
    schema.CATEGORY_ID: ("categories",),
    schema.FRAME_FEATURE: ("n_frames", "frame_offset", "frame_stride"),
}


@dataclass(frozen=True, eq=False)
class IndexFile:
    """An index that can be believed, as far as it was read.

    Attributes:
        place: the index.
        number: its format.
        size: of the TFRecord file, in bytes.
        changed: time of that file's last change, in ns.
        bad: number, offset and reason of each bad record.
        header: kind, filled and width of each field that was looked for; of format 2 unknown.
        ids: of the videos.
        records: places of their records, by the names in `RECORDS`.
    """

    place: Path
    number: int
    size: int
    changed: int
    bad: list[tuple[int, int, str]]
    header: dict[str, dict]
    ids: np.ndarray
    records: dict[str, np.ndarray]

    def places(self, path: Path) -> Places:
        """The places of the videos' records, in the file with this path."""
        return Places((path,), np.zeros(len(self.ids), np.int32), **self.records)

    def log(self, path: Path) -> RecordLog:
        """The bad records of the file with this path."""
        log = RecordLog(skip=True)
        for record, offset, reason in self.bad:
            log.add_bad(RecordError(path, record, offset, reason))
        return log

    def column(self, name: str) -> Column | None:
        """The column of a field; None where the index does not have it, or not as it should be."""
        kind = FIELDS[name].column
        entry = self.header.get(name)
        if entry is not None and entry["kind"] != _NAMES[kind]:
            return None
        if entry is not None and not entry["filled"]:
            return kind.empty(len(self.ids))
        try:
            if self.number == 2:
                arrays, width = _from_format_2(name, self._members)
            elif entry is not None:
                names = {member: f"{name}.{member}" for member in kind.members}
                stored = self._members(tuple(names.values()))
                arrays = {member: stored[key] for member, key in names.items()}
                width = entry["width"]
            else:
                return None
            if width is None and kind is StreamColumn:
                return kind.empty(len(self.ids))
            if not kind.check(arrays, len(self.ids), self.size, width):
                return None
            return kind.from_arrays(arrays, width)
        except Exception:  # zipfile and numpy have a dozen kinds for damaged bytes
            return None

    def _members(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Some members of the archive, if it is still the same."""
        with self.place.open("rb") as file, np.load(file, allow_pickle=False) as opened:
            if opened[_KEY].tolist() != [self.number, self.size, self.changed]:
                raise ValueError("another index")
            return {name: opened[name] for name in names}


def read_index(place: Path) -> IndexFile | None:
    """An index of any format; None where there is none that can be believed."""
    try:
        with zipfile.ZipFile(place) as archive:  # savez compresses nothing
            members = [info.filename.removesuffix(".npy") for info in archive.infolist()]
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                return None
        with place.open("rb") as file, np.load(file, allow_pickle=False) as opened:
            number, size, changed = opened[_KEY].tolist()
            if number not in (2, INDEX_FORMAT):
                return None
            header = json.loads(opened[_FIELDS].tobytes()) if number == INDEX_FORMAT else {}
            if not is_header(header) or sorted(members) != sorted(_expected(number, header)):
                return None
            bad = [(int(n), int(at), str(why)) for n, at, why in json.loads(opened[_BAD].tobytes())]
            records = {name: opened[name] for name in RECORDS}
            index = IndexFile(place, number, size, changed, bad, header, opened[_IDS], records)
        return index if are_records(index.ids, records, size) else None
    except Exception:  # zipfile, numpy and json have a dozen kinds for damaged bytes
        return None


def write_index(place: Path, stat: tuple[int, int], videos: FileVideos, log: RecordLog) -> bool:
    """Writes an index; whether that could be done.

    Args:
        place: where to.
        stat: size and time of change of the TFRecord file.
        videos: what is in it.
        log: with its bad records.
    """
    bad = [(error.record, error.offset, error.reason) for error in log.bad]
    header, members = {}, {}
    for name, kind in FIELDS.items():
        column, filled = videos.columns.load(name), videos.columns.has(name)
        width = videos.columns.width(name)
        header[name] = {"kind": _NAMES[kind.column], "filled": filled, "width": width}
        if filled:
            members |= {f"{name}.{member}": array for member, array in column.arrays().items()}
    stored = {
        _KEY: np.array([INDEX_FORMAT, *stat], np.int64),
        _BAD: _packed(bad),
        _FIELDS: _packed(header),
        _IDS: videos.ids,
        **{name: getattr(videos.places, name) for name in RECORDS},
        **members,
    }
    try:
        with atomic_file(place) as file:
            np.savez(file, **stored)  # type: ignore[arg-type]
    except OSError:
        return False
    return True


def _expected(number: int, header: Mapping[str, dict]) -> list[str]:
    """The members that an index must have, and no others."""
    core = [_KEY, _BAD, _IDS, *RECORDS]
    if number == 2:
        return [*core, *(member for members in _OF_FORMAT_2.values() for member in members)]
    filled = {name: _KINDS[entry["kind"]] for name, entry in header.items() if entry["filled"]}
    fields = [f"{name}.{member}" for name, kind in filled.items() for member in kind.members]
    return [*core, _FIELDS, *fields]


def _from_format_2(
    name: str, members: Callable[[tuple[str, ...]], dict[str, np.ndarray]]
) -> tuple[dict[str, np.ndarray], int | None]:
    """The members of a column as they are named now, and the width of a stream."""
    stored = list(members(_OF_FORMAT_2[name]).values())
    if name == schema.FRAME_FEATURE:
        count, offset, stride = stored
        if (stride[count > 0] != _STRIDE_2).any():
            raise ValueError("frames of another size")
        width = _WIDTH_2 if (count > 0).any() else None
        return {"count": count, "offset": offset}, width
    if name == schema.CATEGORY_ID:
        return {"values": stored[0], "present": stored[0] >= 0}, None
    return dict(zip(FIELDS[name].column.members, stored, strict=True)), None


def _packed(content: object) -> np.ndarray:
    return np.frombuffer(json.dumps(content).encode(), np.uint8)
