"""Weights that `torch.save` wrote (pytorch_model.bin), read without torch.

What the file says of itself is checked against its size before memory is taken for it: a damaged
file, or one made to do harm, ends in a message.
"""

import io
import math
import os
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from vidsim.errors import VidsimError
from vidsim.pretrained.torch_pickle import BFLOAT16, BOOL, TorchPickle, TorchTensor

_ZIP_START, _LOCAL_HEADER = b"PK\x03\x04", 30
_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_PICKLE_BYTES = 4 << 20
"""More than ten thousand tensors take; a longer pickle is there to fill memory."""
_UNDER = ("state_dict", "model")
"""Where the dict is of a file that holds more."""
_VIEWS, _SPARE_BYTES = 8, 1 << 20
"""All tensors together may have this many times the file's bytes (tied weights share them), and so
many more; without a limit a small file could ask for any amount of memory."""


@dataclass(frozen=True)
class _Contents:
    """What a file's pickle describes, and where in the file each storage begins."""

    tree: Any
    places: dict[str, int]
    byte_order: Literal["<", ">"]


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Reads a dict of tensors, of today's zip format or of the one before torch 1.6.

    Args:
        path: a file of `torch.save(model.state_dict(), path)`, or one with that dict under
            "state_dict" or "model".

    Returns:
        The tensors by name, each in memory of its own; bfloat16, which numpy lacks, as float32.

    Raises:
        VidsimError: the file is damaged, or has more in it than tensors.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            is_zip = file.read(len(_ZIP_START)) == _ZIP_START
            contents = _read_zip(file, size) if is_zip else _read_legacy(file, size)
            return _read_tensors(file, size, contents)
    except VidsimError as error:
        raise VidsimError(f"{path}: {error}") from None
    except OSError as error:
        raise VidsimError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # zipfile and pickletools have a dozen kinds for damaged bytes
        raise VidsimError(
            f"{path}: damaged or cut short ({type(error).__name__}: {error!s:.500})"
        ) from error


def widen_bfloat16(bits: np.ndarray) -> np.ndarray:
    """The same numbers as float32; `bits` are those of bfloat16, as uint16."""
    wide = bits.astype("uint32")
    wide <<= 16
    return wide.view("float32")


# --- Two formats ----------------------------------------------------------------------------------


def _read_zip(file: BinaryIO, size: int) -> _Contents:
    """Of an archive with <name>/data.pkl, and <name>/data/<key> for every storage."""
    with zipfile.ZipFile(file) as archive:  # does not close what it was given open
        members = {info.filename: info for info in archive.infolist()}
    roots = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise VidsimError(f"a zip file with {len(roots)} members */data.pkl; torch.save makes one")
    root = roots[0]

    def find(name: str) -> tuple[int, int]:
        if root + name not in members:
            raise VidsimError(f"the zip file has no member {root + name!r:.200}")
        return _place(file, size, members[root + name])

    def content(name: str) -> bytes:
        start, length = find(name)
        if length > _PICKLE_BYTES:
            raise VidsimError(f"its {name} has {length} bytes; accepted are up to {_PICKLE_BYTES}")
        file.seek(start)
        return file.read(length)

    order = content("byteorder") if root + "byteorder" in members else b"little"
    if order not in (b"little", b"big"):
        raise VidsimError(f"its byte order is {order!r:.40}; accepted are little and big")
    pickle = TorchPickle(io.BytesIO(content("data.pkl")))
    tree, places = pickle.follow(), {}
    for key, storage in pickle.storages.items():
        places[key], length = find(f"data/{key}")
        if length != storage.nbytes:
            raise VidsimError(
                f"its data/{key} has {length} bytes; by its data.pkl that should be "
                f"{storage.numel} elements of {storage.dtype.itemsize}"
            )
    return _Contents(tree, places, "<" if order == b"little" else ">")


def _place(file: BinaryIO, size: int, info: zipfile.ZipInfo) -> tuple[int, int]:
    """First byte and length of a member; its checksum is left alone, torch.save may omit it."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise VidsimError(f"its member {info.filename} is compressed; torch.save only stores")
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER)
    if not header.startswith(_ZIP_START):
        raise VidsimError(f"no member of the zip file begins at byte {info.header_offset}")
    start = info.header_offset + _LOCAL_HEADER + sum(struct.unpack("<HH", header[26:]))
    end = start + info.file_size
    if end > size:
        raise VidsimError(f"its member {info.filename} ends at byte {end} of {size}")
    return start, info.file_size


def _read_legacy(file: BinaryIO, size: int) -> _Contents:
    """Of five pickles, then each storage's number of elements and the elements."""
    file.seek(0)
    stream = io.BytesIO(file.read(_PICKLE_BYTES))
    if _LEGACY_MAGIC.to_bytes(10, "little") not in stream.getvalue()[:32]:
        raise VidsimError("not a file of torch.save, neither a zip nor of the format before 1.6")
    pickle = TorchPickle(stream)
    if (pickle.follow(), pickle.follow()) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise VidsimError(f"another protocol of torch.save than {_LEGACY_PROTOCOL}")
    pickle.follow()  # about the writer's machine; the format does not depend on it
    tree, keys = pickle.follow(), pickle.follow()
    position, places = stream.tell(), {}
    for key in keys:
        if not isinstance(key, str) or key not in pickle.storages:
            raise VidsimError("its list of storages has one that no tensor refers to")
        storage = pickle.storages[key]
        file.seek(position)
        numel = int.from_bytes(file.read(8), "little", signed=True)
        if numel != storage.numel:
            raise VidsimError(
                f"at byte {position} a storage has {numel} elements, in its pickle {storage.numel}"
            )
        places[key] = position + 8
        position += 8 + storage.nbytes
        if position > size:
            raise VidsimError(f"a storage ends at byte {position} of {size}")
    return _Contents(tree, places, "<")


# --- Tensors --------------------------------------------------------------------------------------


def _read_tensors(file: BinaryIO, size: int, contents: _Contents) -> dict[str, np.ndarray]:
    allowance = _VIEWS * size + _SPARE_BYTES
    arrays = {}
    for name, tensor in _tensors(contents.tree).items():
        try:
            span = tensor.span()
        except VidsimError as error:
            raise VidsimError(f"tensor {name!r:.200}: {error}") from None
        storage = tensor.storage
        allowance -= max(span, math.prod(tensor.shape)) * storage.dtype.itemsize
        if allowance < 0:
            raise VidsimError(f"tensor {name!r:.200}: with it the file's bytes are named too often")
        if storage.key not in contents.places:
            raise VidsimError(f"tensor {name!r:.200}: its storage is not in the file")
        file.seek(contents.places[storage.key] + tensor.offset * storage.dtype.itemsize)
        dtype = storage.dtype.newbyteorder(contents.byte_order)
        arrays[name] = _shaped(np.fromfile(file, dtype, span), tensor)
    return arrays


def _shaped(flat: np.ndarray, tensor: TorchTensor) -> np.ndarray:
    """The tensor, contiguous, of the elements that it spans."""
    flat = flat.astype(flat.dtype.newbyteorder("="), copy=False)
    if tensor.storage.kind == BFLOAT16:
        flat = widen_bfloat16(flat)
    if tensor.storage.kind == BOOL:
        flat = flat.astype(bool)
    steps = zip(tensor.shape, tensor.strides, strict=True)
    # Along one element a stride may be anything, also too large for numpy.
    strides = [stride * flat.itemsize if size > 1 else 0 for size, stride in steps]
    view = np.ndarray(tensor.shape, flat.dtype, flat, 0, strides)
    return view if view.flags.c_contiguous else view.copy()


def _tensors(tree: Any) -> dict[str, TorchTensor]:
    """The tensors of a state dict; numbers and text beside them are no weights."""
    for key in _UNDER:
        if isinstance(tree, dict) and isinstance(tree.get(key), dict):
            tree = tree[key]
    tensors = {}
    for name, value in tree.items() if isinstance(tree, dict) else ():
        if isinstance(value, TorchTensor):
            tensors[name] = value
        elif name != "_metadata" and not isinstance(value, str | int | float | None):
            raise VidsimError(f"{name!r:.200} is a {type(value).__name__}; accepted are tensors")
    if not tensors:
        raise VidsimError(
            f"holds a {type(tree).__name__} without tensors; accepted is a dict of names and "
            f"tensors, or one under {' or '.join(_UNDER)}"
        )
    return tensors
