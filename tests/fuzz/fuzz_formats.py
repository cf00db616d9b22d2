"""Formats taken apart and put together again, with lengths and checksums that fit.

Without this hardly a mutation would get past the checksum of a record or the header of a zip.
"""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import NamedTuple

from vidsim.records.tfrecord import frame_record


class Format(NamedTuple):
    """`split` raises ValueError for what is too damaged to be taken apart."""

    split: Callable[[bytes], list[bytes]]
    join: Callable[[list[bytes]], bytes]


def _split_records(data: bytes) -> list[bytes]:
    """The payloads; checksums are not looked at."""
    payloads, at = [], 0
    while at < len(data):
        if at + 16 > len(data):
            raise ValueError
        (length,) = struct.unpack_from("<Q", data, at)
        if at + 16 + length > len(data):
            raise ValueError
        payloads.append(data[at + 12 : at + 12 + length])
        at += 16 + length
    return payloads


def _join_records(payloads: list[bytes]) -> bytes:
    return b"".join(map(frame_record, payloads))


def _split_zip(data: bytes) -> list[bytes]:
    """Whether it is compressed, then name, content, name, content, ..."""
    parts = [b""]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                parts[0] = b"compressed" if info.compress_type else b""
                with archive.open(info) as member:
                    parts += [info.filename.encode(errors="replace"), member.read(1 << 20)]
    except Exception as error:  # zipfile has many kinds for damaged bytes
        raise ValueError from error
    return parts


def _join_zip(parts: list[bytes]) -> bytes:
    file = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if parts[:1] == [b"compressed"] else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in zip(parts[1::2], parts[2::2], strict=False):
            info = zipfile.ZipInfo(name.decode(errors="replace")[:200])
            with warnings.catch_warnings(action="ignore"):  # two members of one name
                archive.writestr(info, content, method)
    return file.getvalue()


def _split_safetensors(data: bytes) -> list[bytes]:
    """Header and tensors."""
    length = int.from_bytes(data[:8], "little")
    if length > len(data):
        raise ValueError
    return [data[8 : 8 + length], data[8 + length :]]


def _join_safetensors(parts: list[bytes]) -> bytes:
    header, *content = parts or [b""]
    return struct.pack("<Q", len(header)) + header + b"".join(content)


FLAT = Format(lambda data: [data], b"".join)
RECORDS = Format(_split_records, _join_records)
ZIP = Format(_split_zip, _join_zip)
SAFETENSORS = Format(_split_safetensors, _join_safetensors)
