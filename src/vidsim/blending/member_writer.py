"""A member written as its predictions come: shards first, put together in the end.

What a killed process wrote is not predicted again, and no more than one shard is ever in memory.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from vidsim.files import atomic_file
from vidsim.schema import EMBEDDING, ID

SHARD = 4096
"""Videos in a shard; all but the last one are whole batches of any power of two up to this."""


class MemberWriter:
    """One member in the making. The bytes of the file are those of ``numpy.savez``.

    Whoever uses it makes sure that the shards in the folder are of the same model and videos.

    Args:
        path: from ``member_path`` or ``validation_path``.
        ids: (N,) bytes or str.
        folder: where the shards are until the member is finished.
        arrays: names of the arrays beside ``id``.
        shard: rows in a shard; None: SHARD.
    """

    def __init__(
        self,
        path: Path,
        ids: np.ndarray,
        folder: Path,
        arrays: Sequence[str] = (EMBEDDING,),
        shard: int | None = None,
    ):
        self._path, self._ids, self._folder, self._arrays = path, ids, folder, tuple(arrays)
        shard = shard or SHARD
        starts = range(0, len(ids), shard)
        self._shards = [slice(start, min(start + shard, len(ids))) for start in starts]

    def missing(self) -> Iterator[slice]:
        """The rows of each shard that is not written yet; none once the member is there."""
        if not self._path.exists():
            first = self._arrays[0]  # written last
            yield from (rows for rows in self._shards if not self._shard(rows, first).exists())

    def write(self, rows: slice, values: Mapping[str, np.ndarray]) -> None:
        """Writes one shard, each of its files whole or not at all.

        Args:
            rows: as ``missing`` names them.
            values: the arrays (K, ...) of these rows; numbers of any float type are stored as
                float32.
        """
        if values.keys() != set(self._arrays):
            raise ValueError(f"arrays {sorted(values)}, and not {sorted(self._arrays)}")
        for name in reversed(self._arrays):
            value = np.asarray(values[name])
            if len(value) != rows.stop - rows.start:
                raise ValueError(f"{len(value)} vectors for rows {rows.start} to {rows.stop}")
            with atomic_file(self._shard(rows, name)) as file:
                np.save(file, value.astype(np.float32) if value.dtype.kind == "f" else value)

    def finish(self, columns: Mapping[str, np.ndarray] = MappingProxyType({})) -> None:
        """Puts the shards together, whole or not at all, and removes them.

        Args:
            columns: further arrays of any length, which the file has once and not by row.
        """
        if not self._path.exists():
            with atomic_file(self._path) as file, zipfile.ZipFile(file, "w") as archive:
                with archive.open(f"{ID}.npy", "w", force_zip64=True) as member:
                    bytes_ = self._ids.dtype.kind == "S"
                    text = np.char.decode(self._ids, "utf-8") if bytes_ else self._ids
                    np.lib.format.write_array(member, text, allow_pickle=False)
                for name in self._arrays:
                    self._join(archive, name)
                for name, value in columns.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, value, allow_pickle=False)
        for name in self._arrays:
            for rows in self._shards:
                self._shard(rows, name).unlink(missing_ok=True)

    def _join(self, archive: zipfile.ZipFile, name: str) -> None:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            for rows in self._shards:
                values = np.load(self._shard(rows, name))
                if rows.start == 0:
                    header = np.lib.format.header_data_from_array_1_0(values)
                    header["shape"] = (len(self._ids), *values.shape[1:])
                    np.lib.format.write_array_header_1_0(member, header)
                member.write(values.data)

    def _shard(self, rows: slice, name: str) -> Path:
        mark = "" if name == self._arrays[0] else f".{name}"
        return self._folder / f"{self._path.stem}{mark}-{rows.start:09d}.npy"
