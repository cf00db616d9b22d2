"""Named arrays in a safetensors file; an error in writing them is the system's own."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file


def save_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes the file in place.

    Args:
        path: of the file.
        tensors: of any strides; a number, of shape (), stays one.

    Raises:
        OSError: with number and file name, where safetensors puts both into a sentence.
    """
    try:
        save_file({name: np.asarray(x, order="C") for name, x in tensors.items()}, str(path))
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
