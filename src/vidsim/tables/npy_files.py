"""Arrays of .npy files and .npz archives, faster than numpy opens them, or left where they are."""

import functools
import io
import math
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np

_LONGEST_HEADER = 1 << 16  # of a .npy file of numbers, bytes
_LOCAL_HEADER = struct.Struct("<26x2H")  # of a zip member: the lengths of its name and extra field


def array_of(data: bytes) -> np.ndarray:
    """The array of a .npy file.

    Raises:
        ValueError: it is none, damaged, or one of objects.
    """
    (shape, fortran, dtype), start = _beginning(data)
    array = np.frombuffer(data, dtype, math.prod(shape), start) if math.prod(shape) else []
    return np.asarray(array, dtype).reshape(shape, order="F" if fortran else "C")


def _beginning(data: bytes) -> tuple[tuple[tuple[int, ...], bool, np.dtype], int]:
    """What the header of a .npy file says, and where its numbers begin."""
    if data[:6] != b"\x93NUMPY" or len(data) < 12:
        raise ValueError("this is no .npy file")
    wide = data[6] > 1  # of version 2 on, the header's length has four bytes
    start = (12 + int.from_bytes(data[8:12], "little")) if wide else 10 + data[8] + 256 * data[9]
    return _header(data[:start]), start


@functools.lru_cache(maxsize=1024)
def _header(beginning: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of a .npy file; numpy takes longer for them than for the numbers."""
    file = io.BytesIO(beginning)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    found = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
    if found[2].hasobject:
        raise ValueError("an array of objects; numbers are expected")
    return found


def mapped_member(path: Path, name: str, scratch: Path) -> np.ndarray:
    """An array of an archive, mapped and not read; a compressed one is unpacked to `scratch`.

    Raises:
        ValueError, OSError, KeyError, zipfile.BadZipFile: there is none, or it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            scratch.mkdir(parents=True, exist_ok=True)
            unpacked = scratch / f"{name}.npy"
            with archive.open(info) as source, unpacked.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            return np.load(unpacked, mmap_mode="r", allow_pickle=False)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        named, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        file.seek(info.header_offset + _LOCAL_HEADER.size + named + extra)
        begin = file.tell()
        (shape, fortran, dtype), start = _beginning(file.read(_LONGEST_HEADER))
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(path, dtype, "r", begin + start, shape, "F" if fortran else "C")
