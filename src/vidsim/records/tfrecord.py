"""The TFRecord framing, read and written without TensorFlow.

A record is: length (uint64), masked crc32c of the length, the payload, masked crc32c of the
payload, all little-endian. Reading it here gives what TensorFlow's reader does not: an error for
every truncation, the file's name and the record's number in it, and the place of each payload, so
that frame features can be taken straight from the mapped file.
"""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from vidsim.records.other_formats import PEEK, other_format
from vidsim.records.record_error import RecordError
from vidsim.records.record_log import RecordLog

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
HEADER_BYTES = _LENGTH.size + _CRC.size  # from a record's beginning to its payload
_OVERHEAD = HEADER_BYTES + _CRC.size


class Record(NamedTuple):
    """One whole record of a file.

    Attributes:
        number: its number in the file, the first is 0.
        offset: byte of the file at which the payload begins.
        payload: what was stored.
        checksum: masked crc32c of the payload: a fingerprint of its content.
    """

    number: int
    offset: int
    payload: bytes
    checksum: int

    @property
    def start(self) -> int:
        """Byte of the file at which the record begins, its header included."""
        return self.offset - HEADER_BYTES


def iter_records(
    path: str | Path, log: RecordLog | None = None, expected: int | None = None
) -> Iterator[Record]:
    """Find and verify every record of a TFRecord file.

    Where bad records are skipped, reading goes on behind a payload whose checksum does not fit. It
    cannot go on behind a damaged length, since that says where the next record begins.

    Args:
        path: the file.
        log: what to do with a bad record; default: raise it.
        expected: how many records were written, where that is known. Nothing else tells a file
            that was cut off between two records.

    Raises:
        RecordError: the file is missing or empty; or a record is truncated, is no TFRecord, or a
            checksum of a length or of a payload does not fit, unless the log skips those.
    """
    path, log = Path(path), log or RecordLog()
    with map_file(path) as data:
        end, at, number = len(data), 0, 0
        while at < end:
            try:
                length = _read_header(data[at : at + HEADER_BYTES], end - at)
            except ValueError as error:
                lost = f"{error}; the file cannot be read from here on ({end - at} bytes)"
                if not number:
                    lost = other_format(path, data[:PEEK]) or lost
                log.add_bad(RecordError(path, number, at, lost, ends_file=True))
                return
            payload = data[at + HEADER_BYTES : at + HEADER_BYTES + length]
            (checksum,) = _CRC.unpack_from(data, at + HEADER_BYTES + length)
            if checksum == _masked_crc(payload):
                yield Record(number, at + HEADER_BYTES, payload, checksum)
            else:
                reason = f"the checksum of its {length} bytes does not fit: damaged data"
                log.add_bad(RecordError(path, number, at, reason))
            at += length + _OVERHEAD
            number += 1
    if expected is not None and number != expected:
        kind = "truncated between two records" if number < expected else "not the file written"
        reason = f"the file ends after {number} records, but {expected} were written: {kind}"
        log.add_bad(RecordError(path, number, end, reason))


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


def _read_header(header: bytes, left: int) -> int:
    """The payload's length; `left` is the number of bytes from the header to the file's end."""
    if len(header) < HEADER_BYTES:
        raise ValueError(f"truncated in the header: {len(header)} of {HEADER_BYTES} bytes")
    (length,) = _LENGTH.unpack_from(header)
    (checksum,) = _CRC.unpack_from(header, _LENGTH.size)
    if checksum != _masked_crc(header[: _LENGTH.size]):
        raise ValueError("the checksum of its length does not fit: damaged, or not a TFRecord file")
    if length + _OVERHEAD > left:
        raise ValueError(f"truncated: {length + _OVERHEAD} bytes announced, {left} are there")
    return length


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
