"""Makes goldens/torch_files.npz: the bytes that `torch.save` writes, for `test_torch_file.py`.

    pip install torch==2.13.0 numpy && python tests/pretrained/make_bin_goldens.py

Both formats are in it: today's (zip) and the one before torch 1.6 (legacy). Nothing here loads
what it saved: two of the files would run `true` in a shell if they were unpickled. They lie packed,
so that nobody does so by accident.
"""

import io
import os
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8")


class Hostile:
    """Unpickling one runs a shell command."""

    def __reduce__(self):
        return os.system, ("true",)


def tensors() -> OrderedDict:
    """One of everything; the test makes the same with numpy."""
    made = OrderedDict()
    for name in DTYPES:
        made[name] = torch.tensor([1, 100]).to(getattr(torch, name))
    made["bool"] = torch.tensor([True, False, True])
    made["third"] = torch.tensor([1 / 3, -1e30, float("inf")]).to(torch.bfloat16)
    made["scalar"] = torch.tensor(-7.5)
    made["empty"] = torch.zeros(0, 3)
    counted = torch.arange(6.0).reshape(2, 3)
    made["counted"] = counted
    made["tied"] = counted
    made["turned"] = counted.T
    made["columns"] = counted[:, 1:]
    made["repeated"] = counted[0, 1:2].expand(2, 2)
    made["parameter"] = torch.nn.Parameter(torch.tensor([0.5, 0.25]))
    made._metadata = OrderedDict({"": {"version": 1}})  # as a module's state_dict() has it
    return made


def saved(value: object, is_zip: bool) -> np.ndarray:
    """The bytes of the file."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=is_zip)
    return np.frombuffer(file.getvalue(), "uint8")


def main() -> None:
    """Writes the file of files."""
    hostile = {"weight": torch.zeros(1), "more": Hostile()}
    files = {
        "zip": saved({"epoch": 3, "state_dict": tensors()}, True),
        "legacy": saved(tensors(), False),
        "hostile-zip": saved(hostile, True),
        "hostile-legacy": saved(hostile, False),
    }
    np.savez_compressed(HERE / "goldens" / "torch_files.npz", **files)


if __name__ == "__main__":
    main()
