"""Weights that transformers' TensorFlow classes wrote (tf_model.h5), under PyTorch's names.

Only plain data of the file itself is read: no links, no data kept in other files, nothing that
would grow when it is unpacked. What lies below that is up to HDF5's library, which damaged files
bring down or keep busy for ever: `hdf5_file` runs this module as a process of its own.
"""

import re
import resource
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from safetensors.numpy import save

from vidsim.errors import VidsimError

_ENDINGS = {"kernel": "weight", "embeddings": "weight", "gamma": "weight", "beta": "bias"}
_PLAIN = (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)
_MEMORY, _COPIES = 2 << 30, 8  # address space: the libraries, and so many times the file


def hdf5_tensors(path: Path) -> dict[str, np.ndarray]:
    """Reads the weights of a model that `save_pretrained` of a TensorFlow class wrote.

    Args:
        path: a file with a group for every layer of the model: the attribute layer_names lists
            them, and each one's weight_names its datasets.

    Returns:
        The tensors by the names that the same model has in PyTorch ("bert.", "roformer.", "cls."),
        kernels turned to (out, in).

    Raises:
        VidsimError: the file is damaged, or of another layout.
    """
    try:
        with h5py.File(path, "r") as file:
            return _Layers(file, path.stat().st_size).tensors()
    except VidsimError as error:
        raise VidsimError(f"{path}: {error}") from None
    except Exception as error:  # h5py turns what HDF5 reports into half a dozen kinds
        raise VidsimError(f"{path}: not a whole HDF5 file ({error!s:.500})") from error


def pytorch_name(name: str, layers: list[str]) -> str:
    """The name of a TensorFlow variable's tensor in PyTorch.

    A variable is called model/layer/.../kind:0. "_._" stands for a level of PyTorch's that
    TensorFlow has not, and what precedes "___" for one that PyTorch has not.

    Args:
        name: as in weight_names; without the model's name it begins with a layer's.
        layers: the names of the model's layers.
    """
    levels = name.removesuffix(":0").split("/")
    if levels[0] not in layers or (len(levels) > 1 and levels[1] in layers):
        levels = levels[1:]
    levels = [level.rpartition("___")[2] for level in levels]
    levels[-1:] = [_ENDINGS.get(level, level) for level in levels[-1:]]
    return re.sub(r"_\._|/+", ".", "/".join(levels))


class _Layers:
    """The groups of an open file; all errors are without its name."""

    def __init__(self, file: h5py.File, size: int):
        self._file = file
        self._left = size
        """Bytes that tensors may still have: all of them together are in the file."""

    def tensors(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        layers = self._names(self._file, "layer_names")
        for layer in layers:
            group = self._inside(self._file, layer, h5py.Group)
            for name in self._names(group, "weight_names"):
                value = self._values(self._inside(group, name, h5py.Dataset), name)
                if name.removesuffix(":0").endswith("/kernel"):
                    value = np.ascontiguousarray(value.T)
                published = pytorch_name(name, layers)
                # Tied weights stand under every layer that uses them.
                if published in found and not np.array_equal(found[published], value):
                    raise VidsimError(f"{layer}/{name}: {published} a second time, and different")
                found[published] = value
        if not found:
            raise VidsimError("no layer of it has weights")
        return found

    def _names(self, group: Any, attribute: str) -> list[str]:
        """The strings of an attribute; keras cuts long ones into attribute0, attribute1, ..."""
        if attribute in group.attrs:
            return self._strings(group, attribute)
        names, part = [], 0
        while f"{attribute}{part}" in group.attrs:
            names += self._strings(group, f"{attribute}{part}")
            part += 1
        if not part:
            raise VidsimError(
                f"{group.name} has no attribute {attribute}; accepted is the layout of "
                "transformers' TensorFlow classes"
            )
        return names

    def _strings(self, group: Any, attribute: str) -> list[str]:
        values = np.atleast_1d(group.attrs[attribute])
        if values.size and values.dtype.kind not in "SUO":  # keras' empty list has numbers' type
            raise VidsimError(f"attribute {attribute} of {group.name} has {values.dtype} values")
        return [v.decode() if isinstance(v, bytes) else str(v) for v in values.ravel()]

    def _inside(self, group: Any, path: str, kind: type) -> Any:
        """What is at a path below the group, with no link to elsewhere on the way."""
        here = group
        for level in filter(None, path.split("/")):
            if level not in here:
                raise VidsimError(f"{group.name} lists {path!r:.200}, which is not there")
            if not isinstance(here.get(level, getlink=True), h5py.HardLink):
                raise VidsimError(f"{here.name}/{level} is a link; accepted is data of the file")
            here = here[level]
        if not isinstance(here, kind):
            raise VidsimError(f"{here.name} is a {type(here).__name__}, not a {kind.__name__}")
        return here

    def _values(self, dataset: Any, name: str) -> np.ndarray:
        if dataset.dtype.kind not in "fiub":
            raise VidsimError(f"{name} has values of type {dataset.dtype}; accepted are numbers")
        creation = dataset.id.get_create_plist()
        if creation.get_layout() not in _PLAIN or creation.get_external_count():
            raise VidsimError(f"{name} is compressed, or kept in another file; accepted is neither")
        # HDF5 makes up values that were never written, any number of them.
        stored = dataset.id.get_storage_size()
        if stored != dataset.nbytes:
            raise VidsimError(f"{name} has {dataset.nbytes} bytes; in the file are {stored}")
        self._left -= stored
        if self._left < 0:
            raise VidsimError(f"{name}: with it the file's bytes are named too often")
        return np.asarray(dataset[()], dataset.dtype.newbyteorder("="))


def main() -> None:
    """Of PATH SECONDS: writes the tensors as safetensors, or the error as text with status 1."""
    path, seconds = Path(sys.argv[1]), int(sys.argv[2])
    most = _MEMORY + _COPIES * path.stat().st_size
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        content, status = save(hdf5_tensors(path)), 0
    except VidsimError as error:
        content, status = str(error).encode(errors="replace"), 1
    except Exception as error:  # memory is used up, a name or a type that safetensors has not
        content, status = f"{path}: not a whole HDF5 file ({error!s:.500})".encode(), 1
    sys.stdout.buffer.write(content)
    sys.stdout.flush()
    sys.exit(status)


if __name__ == "__main__":
    main()
