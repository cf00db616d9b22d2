"""One member of the ensemble as it lies on disk: checked when it is opened, read by rows."""

import struct
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from vidsim.blending.row_source import CHUNK
from vidsim.errors import VidsimError
from vidsim.schema import EMBEDDING, ID

_NAMED = 3  # how many ids an error spells out
_LOCAL_HEADER, _LENGTHS = 30, struct.Struct("<26x2H")  # of a zip member: name and extra field
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
)


def name_ids(ids: list[str]) -> str:
    """The first few ids and how many more there are, for an error message."""
    rest = len(ids) - _NAMED
    return ", ".join(map(str, ids[:_NAMED])) + (f" and {rest} more" if rest > 0 else "")


class MemberFile:
    """The embeddings of one file as a ``RowSource``, rows in the order asked for.

    The file is read whole once, in pieces, when this is made: its checksum, its ids and its
    numbers are verified. It must stay as it is from then on. Only what inference writes, rows one
    after the other and not compressed, is read by rows; any other .npz file is held in memory.

    Args:
        path: .npz with ``id`` (N,) str and ``embedding`` (N, D) of any float type, in any order.
        ids: (N,) str, unique: the videos that must be there, in the order wanted.

    Attributes:
        shape: (N, D). Rows are given as float32.

    Raises:
        VidsimError: an unreadable file, other ids than ``ids``, an id twice, a value that is not
            finite.
    """

    shape: tuple[int, ...]

    def __init__(self, path: Path, ids: np.ndarray):
        self._path = path
        try:
            with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
                with archive.open(f"{ID}.npy") as member:
                    found = np.lib.format.read_array(member, allow_pickle=False)
                info = archive.getinfo(f"{EMBEDDING}.npy")
                file.seek(info.header_offset)
                lengths = _LENGTHS.unpack(file.read(_LOCAL_HEADER))
                with archive.open(info) as member:
                    self.shape, fortran, self._dtype = _read_header(member)
                    self._refuse_kinds(found)
                    start = info.header_offset + _LOCAL_HEADER + sum(lengths) + member.tell()
                    self._start, self._held = start, None
                    if fortran or info.compress_type != zipfile.ZIP_STORED:
                        self._held = self._hold(member, fortran)
                        broken = ~np.isfinite(self._held).all(axis=1)
                    else:
                        broken = self._verify(member)
        except _UNREADABLE as error:
            raise VidsimError(
                f"{path}: not an .npz file with {ID!r} and {EMBEDDING!r} ({error})"
            ) from error
        self._order = _order(path, found, ids)
        if broken.any():
            raise VidsimError(
                f"{path}: values that are not finite for {name_ids(found[broken].tolist())}; make "
                "it again, or train this fold again if its model has diverged"
            )

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """The rows (K, D) float32, by slice without step or by numbers (K,)."""
        if self._order is not None:
            rows = self._order[rows]
        if self._held is not None:
            return self._held[rows]
        if isinstance(rows, slice):
            first, last, _ = rows.indices(self.shape[0])
            count, width = max(last - first, 0), self.shape[1]
            start = self._start + first * width * self._dtype.itemsize
            read = np.fromfile(self._path, self._dtype, count * width, offset=start)
            return _single(read.reshape(count, width))
        # unmapped at once: what was looked at is not held
        return _single(np.memmap(self._path, self._dtype, "r", self._start, self.shape)[rows])

    def _refuse_kinds(self, ids: np.ndarray) -> None:
        shape, dtype = self.shape, self._dtype
        if len(shape) != 2 or ids.shape != shape[:1] or shape[1] == 0:
            raise VidsimError(
                f"{self._path}: {ID!r} has shape {ids.shape} and {EMBEDDING!r} {shape}; accepted "
                "are (N,) and (N, D)"
            )
        if ids.dtype.kind != "U" or dtype.kind != "f":
            raise VidsimError(
                f"{self._path}: {ID!r} is {ids.dtype} and {EMBEDDING!r} {dtype}; accepted are text "
                "and floating-point numbers"
            )

    def _hold(self, member: IO[bytes], fortran: bool) -> np.ndarray:
        """All rows, of a file that cannot be read by rows."""
        read = np.frombuffer(member.read(), self._dtype, self.shape[0] * self.shape[1])
        return _single(read.reshape(self.shape, order="F" if fortran else "C"))

    def _verify(self, member: IO[bytes]) -> np.ndarray:
        """Which rows (N,) bool are not finite; zipfile compares the checksum at the end."""
        (count, width), size = self.shape, self._dtype.itemsize
        broken = np.zeros(count, bool)
        for start in range(0, count, CHUNK):
            stop = min(start + CHUNK, count)
            data = member.read((stop - start) * width * size)
            vectors = _single(np.frombuffer(data, self._dtype).reshape(stop - start, width))
            broken[start:stop] = ~np.isfinite(vectors).all(axis=1)
        member.read()
        return broken


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member)
    return np.lib.format.read_array_header_2_0(member)


def _single(vectors: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # an infinity is refused like any other
        return vectors.astype(np.float32, copy=False)


def _order(path: Path, found: np.ndarray, ids: np.ndarray) -> np.ndarray | None:
    """The rows of ``found`` in the order of ``ids``; None where they are in it already."""
    if np.array_equal(found, ids):
        return None
    row = {name: at for at, name in enumerate(found.tolist())}
    if len(row) != len(found):
        twice = [name for at, name in enumerate(found.tolist()) if row[name] != at]
        raise VidsimError(f"{path}: more than one row for {name_ids(twice)}")
    wanted = ids.tolist()
    missing = [name for name in wanted if name not in row]
    extra = sorted(row.keys() - set(wanted))
    if missing or extra:
        parts = [f"no row for {name_ids(missing)}"] if missing else []
        parts += [f"rows for {name_ids(extra)}, which this data set does not ask for"] * bool(extra)
        raise VidsimError(f"{path}: {'; '.join(parts)}; make it again: it is of other data")
    return np.array([row[name] for name in wanted], np.intp)
