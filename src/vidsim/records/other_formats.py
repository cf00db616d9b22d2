"""Files that are no TFRecord file, known by their first bytes, and what to do with each.

Compressed TFRecords are not read as they are: a video's frames are taken from any place of a file,
and a compressed file has no places.
"""

import shlex
import zlib
from pathlib import Path

PEEK = 1 << 16  # bytes of a file that are looked at
_GIT_LFS = b"version https://git-lfs"
_PACKED = {  # first bytes -> name, and the command that unpacks to standard output
    b"\x1f\x8b": ("GZIP", "gunzip -c"),
    b"BZh": ("bzip2", "bunzip2 -c"),
    b"\xfd7zXZ\0": ("XZ", "unxz -c"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "unzstd -c"),
}
_UNZLIB = (
    'python -c "import sys, zlib; d = zlib.decompressobj(); i, o = sys.stdin.buffer, '
    "sys.stdout.buffer; [o.write(d.decompress(b)) for b in iter(lambda: i.read(1 << 20), b'')]\""
)
_OTHERS = {
    b"PK\x03\x04": "a zip archive; unpack it with unzip",
    b"PAR1": "a Parquet file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"<!doctype html": "a page of HTML, as servers send in place of a file; fetch it again",
    b"<html": "a page of HTML, as servers send in place of a file; fetch it again",
}


def other_format(path: Path, beginning: bytes) -> str | None:
    """What a file is that does not begin with a record, and what to do; None if that is unknown.

    Args:
        path: the file.
        beginning: its first bytes, `PEEK` of them or all there are.
    """
    if beginning.startswith(_GIT_LFS):
        return "a git-lfs pointer, not the data; run `git lfs pull` to fetch that"
    name, stem = shlex.quote(str(path)), shlex.quote(f"{path}.unpacked")
    for magic, (kind, command) in _PACKED.items():
        if beginning.startswith(magic):
            return (
                f"a file compressed with {kind}; vidsim reads uncompressed TFRecords: "
                f"{command} < {name} > {stem} && mv {stem} {name}"
            )
    if _is_zlib(beginning):
        return (
            "a file compressed with ZLIB; vidsim reads uncompressed TFRecords: "
            f"{_UNZLIB} < {name} > {stem} && mv {stem} {name}"
        )
    found = (what for magic, what in _OTHERS.items() if beginning.lower().startswith(magic.lower()))
    return next(found, None)


def _is_zlib(beginning: bytes) -> bool:
    """Whether it is the beginning of a zlib stream (RFC 1950) that can be unpacked."""
    if len(beginning) < 2 or beginning[0] & 0x0F != 8 or int.from_bytes(beginning[:2]) % 31:
        return False
    try:
        return bool(zlib.decompressobj().decompress(beginning[:PEEK], 1))
    except zlib.error:
        return False
