"""Which shapes batches are padded to where the compiler wants few of them; none on TensorFlow."""

from typing import TYPE_CHECKING

import keras
import numpy as np

from vidsim.preprocess.batch_order import batches_of_run
from vidsim.preprocess.batch_shapes import BatchShapes, longest_of_each
from vidsim.preprocess.examples import Examples

if TYPE_CHECKING:
    from vidsim.preprocess.pipeline import Batches

_MOST_SHAPES = 8  # of training and of embedding
_UPDATES_A_SHAPE, _BATCHES_A_SHAPE = 500, 32  # as long, about, as compiling one takes


def compiles_each_shape() -> bool:
    """Whether every new shape is a program to be compiled, as on JAX."""
    return keras.backend.backend() == "jax"


def training_shapes(
    lengths: np.ndarray, batches: "Batches", mlm_probability: float = 0.0
) -> BatchShapes | None:
    """Chosen by the batches of the first epoch; one more for every so many updates."""
    if not compiles_each_shape():
        return None
    first = batches_of_run(
        lengths,
        batches.size,
        min(batches.steps, len(lengths) // batches.size),
        batches.length_pool,
        batches.seed,
    )
    needed = np.stack([lengths[rows].max(axis=0) for _, rows in first])
    most = min(1 + batches.steps // _UPDATES_A_SHAPE, _MOST_SHAPES)
    return BatchShapes.of(needed, lengths.max(axis=0), most, mlm_probability)


def embedding_shapes(examples: Examples, batch_size: int) -> BatchShapes:
    """Chosen by all videos of the table, so that parts of it are embedded by the same programs."""
    lengths = examples.lengths(np.arange(len(examples)))
    needed = longest_of_each(lengths[np.lexsort(lengths.T)], batch_size)
    most = min(1 + len(needed) // _BATCHES_A_SHAPE, _MOST_SHAPES)
    return BatchShapes.of(needed, lengths.max(axis=0), most)
