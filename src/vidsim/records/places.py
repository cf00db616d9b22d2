"""Where the records of videos lie: the file, the number in it, and the bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from vidsim.records.record_error import RecordError
from vidsim.records.tfrecord import HEADER_BYTES


@dataclass(frozen=True, eq=False)
class Places:
    """The places of N records.

    Attributes:
        paths: the TFRecord files.
        file_no: (N,) int32, the place in `paths` of the file that holds the record.
        record_no: (N,) int64, the record's number in its file, from 0; differs from the row where
            bad or repeated records were left out.
        record_offset: (N,) int64, byte of the file at which the record's payload begins.
        record_bytes: (N,) int64, length of that payload.
        checksums: (N,) uint32, crc32c of the record (frames included) as stored in the file.
    """

    paths: tuple[Path, ...]
    file_no: np.ndarray
    record_no: np.ndarray
    record_offset: np.ndarray
    record_bytes: np.ndarray
    checksums: np.ndarray

    def __len__(self) -> int:
        return len(self.file_no)

    def path(self, row: int) -> Path:
        """The file of a record."""
        return self.paths[self.file_no[row]]

    def error(self, row: int, reason: str) -> RecordError:
        """The error that names a record."""
        start = int(self.record_offset[row]) - HEADER_BYTES
        return RecordError(self.path(row), int(self.record_no[row]), start, reason)

    def payload(self, row: int) -> bytes:
        """What a record says, read from its file."""
        with self.path(row).open("rb") as file:
            file.seek(int(self.record_offset[row]))
            return file.read(int(self.record_bytes[row]))

    def take(self, rows: np.ndarray) -> "Places":
        """The places of these records, which may repeat, in this order."""
        names = [item.name for item in fields(self) if item.name != "paths"]
        return Places(self.paths, **{name: getattr(self, name)[rows] for name in names})

    @staticmethod
    def concat(parts: Sequence["Places"]) -> "Places":
        """The places of one or more parts, one part after the other."""
        before = np.cumsum([0, *(len(part.paths) for part in parts)])
        file_no = [part.file_no + n for part, n in zip(parts, before, strict=False)]

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(part, name) for part in parts])

        return Places(
            tuple(path for part in parts for path in part.paths),
            np.concatenate(file_no).astype(np.int32),
            joined("record_no"),
            joined("record_offset"),
            joined("record_bytes"),
            joined("checksums"),
        )
