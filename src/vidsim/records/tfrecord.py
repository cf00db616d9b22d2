"""The TFRecord framing, read and written without TensorFlow.

A record is: length (uint64), masked crc32c of the length, the payload, masked crc32c of the
payload, all little-endian. Reading it here gives what TensorFlow's reader does not: an error for
every truncation, the file's name and the record's number in it, and the place of each payload, so
that frame features can be taken straight from the mapped file.
"""

import mmap
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np

from vidsim.records.record_error import RecordError

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
HEADER_BYTES = _LENGTH.size + _CRC.size  # from a record's beginning to its payload
_OVERHEAD = HEADER_BYTES + _CRC.size
_GIT_LFS = b"version https://git-lfs"[:HEADER_BYTES]  # how a pointer file begins


@dataclass(frozen=True, eq=False)
class RecordSpans:
    """Where the N records of one file lie.

    Attributes:
        offsets: (N,) int64, byte offset of each payload.
        lengths: (N,) int64, bytes of each payload.
        checksums: (N,) uint32, masked crc32c of each payload: a fingerprint of its content.
    """

    offsets: np.ndarray
    lengths: np.ndarray
    checksums: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets)


def scan(path: str | Path) -> RecordSpans:
    """Find and verify every record of a TFRecord file.

    Raises:
        RecordError: the file is missing, empty, truncated, not a TFRecord file, or a checksum of
            a length or of a payload does not fit.
    """
    offsets: list[int] = []
    lengths: list[int] = []
    checksums: list[int] = []
    for offset, payload, checksum in _walk(Path(path)):
        offsets.append(offset)
        lengths.append(len(payload))
        checksums.append(checksum)
    return RecordSpans(
        np.array(offsets, np.int64), np.array(lengths, np.int64), np.array(checksums, np.uint32)
    )


def iter_records(path: str | Path) -> Iterator[tuple[int, bytes, int]]:
    """Yield (payload's offset, payload, its masked crc32c), each verified; errors as `scan`."""
    return _walk(Path(path))


def frame_record(payload: bytes) -> bytes:
    """The bytes of one whole record, ready to be appended to a TFRecord file."""
    length = _LENGTH.pack(len(payload))
    return b"".join(
        (length, _CRC.pack(_masked_crc(length)), payload, _CRC.pack(_masked_crc(payload)))
    )


@contextmanager
def map_file(path: Path) -> Iterator[mmap.mmap]:
    """Map a file that is not empty for reading; its slices are bytes.

    Raises:
        RecordError: there is no such file, it cannot be read, or it is empty.
    """
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise RecordError(path, 0, 0, "there is no such file") from None
    except ValueError:  # what mmap says of a file without bytes
        raise RecordError(path, 0, 0, "the file is empty; a TFRecord file is expected") from None
    except OSError as error:
        raise RecordError(path, 0, 0, f"cannot be read: {error.strerror}") from error
    with mapped:
        yield mapped


def _walk(path: Path) -> Iterator[tuple[int, bytes, int]]:
    with map_file(path) as data:
        end, at, record = len(data), 0, 0
        while at < end:
            header = data[at : at + HEADER_BYTES]
            fail = _failure(path, record, at)
            length = _read_header(header, end - at, fail)
            payload = data[at + HEADER_BYTES : at + HEADER_BYTES + length]
            (checksum,) = _CRC.unpack_from(data, at + HEADER_BYTES + length)
            if checksum != _masked_crc(payload):
                raise fail(f"the checksum of its {length} bytes does not fit: damaged data")
            yield at + HEADER_BYTES, payload, checksum
            at += length + _OVERHEAD
            record += 1


def _failure(path: Path, record: int, offset: int) -> Callable[[str], RecordError]:
    return lambda reason: RecordError(path, record, offset, reason)


def _read_header(header: bytes, left: int, fail: Callable[[str], RecordError]) -> int:
    """The payload's length; `left` is the number of bytes from the header to the file's end."""
    if header.startswith(_GIT_LFS):
        raise fail("this is a git-lfs pointer, not the data; run `git lfs pull` to fetch it")
    if len(header) < HEADER_BYTES:
        raise fail(f"truncated in the header: {len(header)} of {HEADER_BYTES} bytes are there")
    (length,) = _LENGTH.unpack_from(header)
    (checksum,) = _CRC.unpack_from(header, _LENGTH.size)
    if checksum != _masked_crc(header[: _LENGTH.size]):
        raise fail("the checksum of its length does not fit: damaged, or not a TFRecord file")
    if length + _OVERHEAD > left:
        raise fail(f"truncated: {length + _OVERHEAD} bytes announced, {left} are there")
    return length


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
