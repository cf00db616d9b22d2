"""A member written as its embeddings come: shards first, put together in the end.

What a killed process wrote is not embedded again, and no more than one shard is ever in memory.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

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
    """

    def __init__(self, path: Path, ids: np.ndarray, folder: Path):
        self._path, self._ids, self._folder = path, ids, folder
        starts = range(0, len(ids), SHARD)
        self._shards = [slice(start, min(start + SHARD, len(ids))) for start in starts]

    def missing(self) -> Iterator[slice]:
        """The rows of each shard that is not written yet; none once the member is there."""
        if not self._path.exists():
            yield from (rows for rows in self._shards if not self._shard(rows).exists())

    def write(self, rows: slice, embedding: np.ndarray) -> None:
        """Writes one shard, whole or not at all.

        Args:
            rows: as ``missing`` names them.
            embedding: their vectors (K, D) of any float type; stored as float32.
        """
        if len(embedding) != rows.stop - rows.start:
            raise ValueError(f"{len(embedding)} vectors for rows {rows.start} to {rows.stop}")
        with atomic_file(self._shard(rows)) as file:
            np.save(file, np.asarray(embedding, np.float32))

    def finish(self) -> None:
        """Puts the shards together, whole or not at all, and removes them."""
        if not self._path.exists():
            with atomic_file(self._path) as file, zipfile.ZipFile(file, "w") as archive:
                with archive.open(f"{ID}.npy", "w", force_zip64=True) as member:
                    bytes_ = self._ids.dtype.kind == "S"
                    text = np.char.decode(self._ids, "utf-8") if bytes_ else self._ids
                    np.lib.format.write_array(member, text, allow_pickle=False)
                with archive.open(f"{EMBEDDING}.npy", "w", force_zip64=True) as member:
                    for rows in self._shards:
                        vectors = np.load(self._shard(rows))
                        if rows.start == 0:
                            header = np.lib.format.header_data_from_array_1_0(vectors)
                            header["shape"] = (len(self._ids), vectors.shape[1])
                            np.lib.format.write_array_header_1_0(member, header)
                        member.write(vectors.data)
        for rows in self._shards:
            self._shard(rows).unlink(missing_ok=True)

    def _shard(self, rows: slice) -> Path:
        return self._folder / f"{self._path.stem}-{rows.start:09d}.npy"
