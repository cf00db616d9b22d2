"""tf_model.h5, read in a process of its own.

Some published folders have no other file without a pickle. HDF5's library is no match for damaged
files: it crashes, or never ends. Here that ends a helper with little time and memory, and becomes
the same message as any other damage.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load

from vidsim.errors import VidsimError

_SECONDS, _BYTES_PER_SECOND = 10, 16 << 20  # of computing: for itself, and for what it reads


def read_hdf5_file(path: Path, seconds: int = _SECONDS) -> dict[str, np.ndarray]:
    """Reads the weights of a model that `save_pretrained` of a TensorFlow class wrote.

    Args:
        path: see `hdf5_tensors`.
        seconds: of computing that even a small file is given.

    Returns:
        The tensors by the names that the same model has in PyTorch ("bert.", "roformer.", "cls."),
        kernels turned to (out, in).

    Raises:
        VidsimError: the file is damaged, or of another layout.
    """
    seconds += path.stat().st_size // _BYTES_PER_SECOND
    command = [sys.executable, "-P", "-m", "vidsim.pretrained.hdf5_tensors"]
    done = subprocess.run(
        [*command, str(path.absolute()), str(seconds)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        # Threads of its own would take address space, of which it has little.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
    )
    if done.returncode == 0:
        return load(done.stdout)
    if done.returncode == 1 and done.stdout:
        raise VidsimError(done.stdout.decode(errors="replace"))
    said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    raise VidsimError(
        f"{path}: not a whole HDF5 file (its library ended with status {done.returncode}"
        f"{': ' if said else ''}{''.join(said):.300}); accepted are also the same weights as "
        "model.safetensors"
    )
