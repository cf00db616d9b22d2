"""The layers that a task adds to a backbone, as a file beside the backbone's weights."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from vidsim.errors import VidsimError
from vidsim.training.tensor_file import save_tensors

if TYPE_CHECKING:
    import keras

HEAD = "head.safetensors"


def save_head(head: "keras.layers.Layer", folder: Path) -> None:
    """Writes the weights by their place and name, as `0 kernel`.

    Raises:
        VidsimError: a weight is not finite.
    """
    weights = {name: w.numpy() for name, w in _named(head).items()}
    broken = [name for name, value in weights.items() if not np.isfinite(value).all()]
    if broken:
        raise VidsimError(
            f"{folder}: not saved, {len(broken)} of {len(weights)} weights of the head are not "
            f"finite, {broken[0]} among them. The run has diverged: lower --lr"
        )
    save_tensors(folder / HEAD, weights)


def load_head(head: "keras.layers.Layer", folder: Path) -> None:
    """Loads every weight of a head of the same shape; anything else is an error.

    Raises:
        VidsimError: the file is missing or damaged, or its weights are others.
    """
    path = folder / HEAD
    if not path.exists():
        raise VidsimError(f"{path}: no such file; this checkpoint has no head: it is of no task")
    try:
        stored = load_file(str(path))
    except (SafetensorError, ValueError) as error:
        raise VidsimError(f"{path}: damaged: {error}") from error
    wanted = _named(head)
    shapes = {name: tuple(weight.shape) for name, weight in wanted.items()}
    for name in stored.keys() & shapes.keys():
        if not shapes[name] and stored[name].shape == (1,):  # as --tower-skip once wrote it
            stored[name] = stored[name].reshape(())
    found = {name: value.shape for name, value in stored.items()}
    if found != shapes:
        raise VidsimError(f"{path}: its weights are {found}; the head has {shapes}")
    for name, weight in wanted.items():
        weight.assign(stored[name])


def _named(head: "keras.layers.Layer") -> "dict[str, keras.Variable]":
    return {f"{place} {weight.name}": weight for place, weight in enumerate(head.weights)}
