"""Makes the whole inputs of corpus/, from which the fuzzing starts: PYTHONPATH=src python it.

What else lies there was found by fuzzing or by thought, and is kept because it once did harm.
"""

import io
import json
import os
import pickle
import struct
import sys
import tempfile
import types
import zipfile
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import save

from fuzz_targets import CORPUS, INDEXED_AT
from vidsim.records.record_log import RecordLog
from vidsim.records.sidecar import INDEX_SUFFIX, indexed_videos
from vidsim.records.tfrecord import frame_record
from vidsim.records.wire import BYTES, FLOAT, INT64, Feature, encode_example
from vidsim.tasks.similarity.submission import write_submission

VIDEO = {
    "id": Feature(BYTES, [b"7"]),
    "title": Feature(BYTES, ["好".encode()]),
    "tag_id": Feature(INT64, [3, 1 << 40]),
    "category_id": Feature(INT64, [10102]),
    "frame_feature": Feature(BYTES, []),
}
EIGHT = VIDEO | {"id": Feature(BYTES, [b"8"]), "frame_feature": Feature(BYTES, [bytes(3072)])}
SIM = {"sim": Feature(FLOAT, [0.5])}
THIN = {"id_1": VIDEO["id"], "id_2": EIGHT["id"], **SIM}
FAT = {f"{name}_{side}": value for side in (1, 2) for name, value in VIDEO.items()} | SIM


def records(*examples: dict[str, Feature]) -> bytes:
    return b"".join(frame_record(encode_example(example)) for example in examples)


# --- Files of torch.save, without torch -----------------------------------------------------------


class Storage:
    """Pickled by its name, as torch does."""

    def __init__(self, kind: str, key: str, numel: int):
        self.identity = ("storage", getattr(sys.modules["torch"], kind), key, "cpu", numel)


class Tensor:
    """A call of torch's function, as torch pickles it."""

    def __init__(self, storage: Storage, offset: int, shape: tuple, strides: tuple):
        self.arguments = (storage, offset, shape, strides, False, {})

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    """Storages stand outside of the pickle."""

    def persistent_id(self, obj):
        return obj.identity if isinstance(obj, Storage) else None


def stand_ins() -> None:
    """Modules with the names that a pickle of torch's mentions."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in ("FloatStorage", "BFloat16Storage", "BoolStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))
    function = types.FunctionType((lambda: None).__code__, {}, "_rebuild_tensor_v2")
    function.__module__, function.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = function
    sys.modules |= {"torch": torch, "torch._utils": utils}


def pickled(value: object, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    Pickler(file, protocol).dump(value)
    return file.getvalue()


def state() -> dict[str, object]:
    four, two = Storage("FloatStorage", "0", 4), Storage("BFloat16Storage", "1", 2)
    return {
        "a": Tensor(four, 0, (2, 2), (2, 1)),
        "turned": Tensor(four, 0, (2, 2), (1, 2)),
        "b": Tensor(two, 1, (), ()),
        "none": Tensor(two, 0, (0, 3), (3, 1)),
    }


def torch_zip(program: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        members = {"data.pkl": program, "byteorder": b"little"}
        for name, content in (members | {"data/0": bytes(16), "data/1": bytes(4)}).items():
            archive.writestr(zipfile.ZipInfo(f"m/{name}"), content)
    return file.getvalue()


def torch_legacy() -> bytes:
    start = pickled(0x1950A86A20F9469CFC6C) + pickled(1001) + pickled({"little_endian": True})
    storages = struct.pack("<q", 4) + bytes(16) + struct.pack("<q", 2) + bytes(4)
    return start + pickled(state()) + pickled(["0", "1"]) + storages


# --- The others -----------------------------------------------------------------------------------


def hdf5(names: type, **how: object) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w", **how) as made:
        made.attrs["layer_names"] = np.array(["bert"], names)
        weights = np.array(["m/bert/a/kernel:0", "m/bert/b:0"], names)
        made.create_group("bert").attrs["weight_names"] = weights
        made["bert"]["m/bert/a/kernel:0"] = np.ones((2, 3), "float32")
        made["bert"]["m/bert/b:0"] = np.ones(2, ">f8")
    return file.getvalue()


def index() -> bytes:
    """Of the videos in "two"; it knows the time of their last change."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.tfrecords"
        path.write_bytes((CORPUS / "videos" / "two").read_bytes())
        os.utime(path, ns=(0, INDEXED_AT))
        indexed_videos(path, None, RecordLog(skip=True))
        return path.with_name(f"{path.name}{INDEX_SUFFIX}").read_bytes()


def submission() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.zip"
        write_submission(path, ["11", "22"], np.array([[1, 0.5], [-1e-5, 2]]))
        return path.read_bytes()


def stored_submission() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("result.json"), '{"22": [1, 2.5e-1], "11": [0, -1e3]}')
    return file.getvalue()


def main() -> None:
    """Writes corpus/<target>/<name>."""
    stand_ins()
    tensors = {"a": np.ones((2, 1), "float32"), "b": np.ones(1, "int8"), "c": np.zeros((0, 2))}
    header = {"h": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
    half = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    places = {"weight_map": {"a": "a.safetensors"}, "metadata": {"total_size": 9}}
    made = {
        "videos": {"two": records(VIDEO, VIDEO | {"id": SIM["sim"]}), "frames": records(EIGHT)},
        "pairs": {"thin": records(THIN, THIN), "fat": records(FAT, FAT)},
        "payload": {"video": encode_example(VIDEO), "pair": encode_example(FAT)},
        "labels": {"plain": b"1\t2\t0.5\n2\t1\t1e-3\n", "odd": b"\xef\xbb\xbf1 \t2\t+.5\r\n\n"},
        "tags": {"plain": b"3\n-4\n10102\n", "odd": b"\xef\xbb\xbf9223372036854775807\r\n\n 1"},
        "safetensors": {
            "whole": save(tensors),
            "bfloat16": struct.pack("<Q", len(half)) + half + b"\x80\x3f",
        },
        "torch_zip": {f"protocol_{n}": torch_zip(pickled(state(), n)) for n in (2, 4)},
        "torch_legacy": {"whole": torch_legacy()},
        "hdf5": {
            "fixed": hdf5(np.bytes_),
            "variable": hdf5(object),  # names in a heap of their own, where damage is worst
            "latest": hdf5(np.bytes_, libver="latest"),
        },
        "shards": {"index": json.dumps(places).encode()},
        "json": {"config": b'{"a": [1, -2.5e3, null, {"b": "\\u597d"}], "c": true}'},
        "submission": {"deflated": submission(), "stored": stored_submission()},
    }
    for target, files in made.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    (CORPUS / "index").mkdir(exist_ok=True)
    (CORPUS / "index" / "whole").write_bytes(index())


if __name__ == "__main__":
    main()
