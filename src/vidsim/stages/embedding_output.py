"""Where embeddings go: shards in a folder, or one file that is put together from them.

A manifest says of which models and videos the shards are. With it a command that was killed goes
on, and one for other models or videos stops.
"""

import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vidsim.errors import VidsimError
from vidsim.files import atomic_file, write_json
from vidsim.schema import EMBEDDINGS, IDS
from vidsim.training.run_identity import differences

FORMAT = 1
MANIFEST = "manifest.json"
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class EmbeddingOutput:
    """The shards of one command.

    Args:
        out: NAME.npz, or a folder.
        identity: what the embeddings depend on, as JSON data.
        count: videos.
        shard_size: of them in a shard.
    """

    def __init__(self, out: Path, identity: dict[str, Any], count: int, shard_size: int):
        self._out, self._one = out, out.suffix == ".npz"
        self._folder = out.with_name(f"{out.name}.parts") if self._one else out
        self._record = out.with_name(f"{out.name}.json")  # of the one file
        made = {"format": FORMAT, "by": "vidsim embed", **identity, "shard_size": shard_size}
        self._identity = json.loads(json.dumps(made))
        self._slices = [slice(i, min(i + shard_size, count)) for i in range(0, count, shard_size)]

    def is_done(self) -> bool:
        """Whether the one file is there.

        Raises:
            VidsimError: what is there is of another command, or no embeddings.
        """
        if not self._one:
            self._compare(self._folder, self._folder / MANIFEST)
            return False
        self._compare(self._out, self._record)
        self._compare(self._folder, self._folder / MANIFEST)
        return self._out.exists()

    def begin(self) -> None:
        """Makes the folder and says in it what it is for."""
        if not (self._folder / MANIFEST).exists():
            write_json(self._folder / MANIFEST, self._identity)

    @property
    def shards(self) -> int:
        """How many there are in the end."""
        return len(self._slices)

    def rows_of(self, numbers: Iterable[int]) -> int:
        """How many videos some shards have."""
        slices = [self._slices[number] for number in numbers]
        return sum(rows.stop - rows.start for rows in slices)

    def missing(self) -> Iterator[int]:
        """The numbers of the shards that are not there, or damaged."""
        for number, rows in enumerate(self._slices):
            if not self._whole(number, rows.stop - rows.start):
                yield number

    def write(self, number: int, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Writes one shard, whole or not at all; ids (K,) bytes, vectors (K, D) float32."""
        with atomic_file(self.shard(number)) as file:
            np.savez(file, **{IDS: np.char.decode(ids, "utf-8"), EMBEDDINGS: vectors})

    def finish(self) -> None:
        """Puts the one file together from the shards, whole or not at all, and removes these."""
        if not self._one:
            return
        write_json(self._record, self._identity)
        numbers = range(len(self._slices))
        ids = np.concatenate([self._load(number, IDS) for number in numbers])
        with atomic_file(self._out) as file, zipfile.ZipFile(file, "w") as archive:
            with archive.open(f"{IDS}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, ids, allow_pickle=False)
            with archive.open(f"{EMBEDDINGS}.npy", "w", force_zip64=True) as member:
                for number in numbers:
                    vectors = np.ascontiguousarray(self._load(number, EMBEDDINGS))
                    if number == 0:
                        header = np.lib.format.header_data_from_array_1_0(vectors)
                        header["shape"] = (len(ids), vectors.shape[1])
                        np.lib.format.write_array_header_1_0(member, header)
                    member.write(vectors.data)
        self.clear()

    def clear(self) -> None:
        """Removes the shards of a file that is finished."""
        if self._one and (self._folder / MANIFEST).exists():
            shutil.rmtree(self._folder)

    def shard(self, number: int) -> Path:
        """The file of a shard."""
        return self._folder / f"shard-{number:06d}.npz"

    def _load(self, number: int, name: str) -> np.ndarray:
        with self.shard(number).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays[name]

    def _whole(self, number: int, rows: int) -> bool:
        if not self.shard(number).exists():
            return False
        try:  # reading compares checksums
            found = self._load(number, IDS), self._load(number, EMBEDDINGS)
        except _DAMAGE:
            return False
        return len(found[0]) == len(found[1]) == rows

    def _compare(self, place: Path, manifest: Path) -> None:
        """Raises unless nothing is there, or what this very command makes."""
        empty = place.is_dir() and not any(place.iterdir())
        if not manifest.exists() and (not place.exists() or empty):
            return
        try:
            before = json.loads(manifest.read_text(encoding="utf-8"))
            own = isinstance(before, dict) and before.get("by") == "vidsim embed"
        except (OSError, ValueError):
            before, own = {}, False
        if not own:
            raise VidsimError(
                f"{place}: something else is there, which vidsim embed did not write "
                f"({manifest} does not say so); name another --out"
            )
        found = differences(before, self._identity)
        if found:
            lines = "".join(f"\n    {line}" for line in found)
            raise VidsimError(
                f"{place}: embeddings of other models or videos are there (before -> now):{lines}\n"
                "Name another --out, or take them away"
            )
