"""The weights of a Hugging Face folder, in whichever of five ways they were published.

Where a folder has several, they hold the same numbers, and the newest format is read.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from vidsim.errors import VidsimError
from vidsim.pretrained.hdf5_file import read_hdf5_file
from vidsim.pretrained.json_files import is_file_name, read_json_object
from vidsim.pretrained.torch_file import read_torch_file, widen_bfloat16

ACCEPTED = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tf_model.h5",  # last: a damaged one can bring HDF5's own library down
)
_INDEX = ".index.json"
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_LFS_POINTER = b"version https://git-lfs"
_LISTED = 20


def read_weights(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Reads the first file of `ACCEPTED` that is in the folder, and its shards if it is an index.

    Args:
        folder: as it was downloaded.

    Returns:
        The file, and the tensors by their names in PyTorch. bfloat16 is returned as float32.

    Raises:
        VidsimError: no such file in the folder, or one that is damaged or not complete.
    """
    for name in ACCEPTED:
        path = folder / name
        if path.is_file() or path.is_symlink():  # one that leads nowhere is told, not skipped
            return path, _read_shards(path) if name.endswith(_INDEX) else _read_file(path)
    if not folder.is_dir():
        raise VidsimError(f"{folder}: no such folder")
    present = sorted(path.name for path in folder.iterdir())
    raise VidsimError(
        f"{folder} has no weights: accepted are {', '.join(ACCEPTED)}; the folder has "
        f"{_listed(present) or 'no files'}"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")


def _read_file(path: Path) -> dict[str, np.ndarray]:
    _refuse_pointer(path)
    return _READERS[path.suffix](path)


def _refuse_pointer(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
    except OSError as error:
        raise VidsimError(f"{path} -> {path.resolve()}: {error.strerror}") from None
    if start == _LFS_POINTER:
        raise VidsimError(
            f"{path}: only a pointer of git-lfs, the file itself was not downloaded; run "
            f"`git lfs pull` in {path.parent}"
        )


def _read_shards(index: Path) -> dict[str, np.ndarray]:
    """The tensors that an index names, each from the file that the index says."""
    places = _weight_map(index)
    shards: dict[str, list[str]] = {}
    for tensor, shard in places.items():
        shards.setdefault(shard, []).append(tensor)
    absent = sorted(shard for shard in shards if not (index.parent / shard).is_file())
    if absent:
        raise VidsimError(f"{index} names files that are not there: {_listed(absent)}")
    found: dict[str, np.ndarray] = {}
    for shard, tensors in shards.items():
        stored = _read_file(index.parent / shard)
        missing = [tensor for tensor in tensors if tensor not in stored]
        if missing:
            raise VidsimError(
                f"{index.parent / shard}: {len(missing)} tensors that {index.name} places there "
                f"are not in it, {missing[0]:.200} for one"
            )
        found |= {tensor: stored[tensor] for tensor in tensors}
    return found


def _weight_map(index: Path) -> dict[str, str]:
    """Tensor -> file in the same folder."""
    _refuse_pointer(index)
    places = read_json_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise VidsimError(f"{index}: accepted is an object with a weight_map {{tensor: file}}")
    suffix = Path(index.name.removesuffix(_INDEX)).suffix
    for tensor, shard in places.items():
        # A path could lead anywhere, and another kind of file be less safe than the index's.
        if not is_file_name(shard) or not shard.endswith(suffix):
            raise VidsimError(
                f"{index}: {tensor:.200} is in {shard!r:.200}; accepted are names of {suffix} "
                "files in the same folder"
            )
    return places


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, "numpy"):  # checks that header and file agree
            pass
        # Read here: safetensors' own reader knows bfloat16 only where ml_dtypes was imported.
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            return {name: _tensor(file, 8 + length, header[name]) for name in header}
    except (SafetensorError, OSError, ValueError) as error:
        raise VidsimError(f"{path}: not a whole safetensors file ({error!s:.500})") from error


def _tensor(file: BinaryIO, start: int, entry: dict[str, Any]) -> np.ndarray:
    """One tensor by its entry of the header, whose offsets count from `start`."""
    dtype, shape = entry["dtype"], entry["shape"]
    if dtype not in _DTYPES:
        raise ValueError(f"a tensor of type {dtype}; accepted are {', '.join(_DTYPES)}")
    file.seek(start + entry["data_offsets"][0])
    flat = np.fromfile(file, _DTYPES[dtype], math.prod(shape))
    flat = widen_bfloat16(flat) if dtype == "BF16" else flat
    return flat.astype(flat.dtype.newbyteorder("="), copy=False).reshape(shape)


_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".safetensors": _read_safetensors,
    ".h5": read_hdf5_file,
    ".bin": read_torch_file,
}
