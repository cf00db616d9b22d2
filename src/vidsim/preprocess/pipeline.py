"""tf.data pipelines: index batches in order, assembled in parallel, a few batches ahead.

The order is a pure function of (seed, epoch), the masking one of (seed, step): nothing depends on
how many workers assemble batches. Python runs once a batch, never once an example.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from vidsim import schema
from vidsim.errors import VidsimError
from vidsim.preprocess.augmentation import hide_parts
from vidsim.preprocess.batch_order import batches_of_run, seed_numbers
from vidsim.preprocess.batch_shapes import BatchShapes
from vidsim.preprocess.chosen_shapes import (
    compiles_each_shape,
    embedding_shapes,
    training_shapes,
)
from vidsim.preprocess.configs import AugmentationConfig
from vidsim.preprocess.corruption import Corruption
from vidsim.preprocess.examples import Examples
from vidsim.preprocess.tensors import LABELS, TYPES

_WORKERS = 2


def embedding_dataset(
    examples: Examples, rows: np.ndarray, batch_size: int, devices: int = 1
) -> tf.data.Dataset:
    """The given videos in order. Elements: a backbone's inputs.

    The last batch is short on TensorFlow. On JAX, where it would be one more program, it is filled
    up with the last video: whoever embeds takes as many results as there are rows.

    Args:
        examples: the videos.
        rows: those to embed.
        batch_size: videos at a time; on JAX, the next multiple of ``devices``.
        devices: devices that share each batch on JAX.
    """
    shapes, names = None, [name for name in examples.names if name not in LABELS]
    if compiles_each_shape():
        batch_size += -batch_size % devices
        rows = np.pad(rows, (0, -len(rows) % batch_size), mode="edge")
        shapes = embedding_shapes(examples, batch_size)

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(rows), batch_size):
            yield np.asarray(rows[start : start + batch_size], "int64")

    def assemble(batch_rows: np.ndarray) -> list[np.ndarray]:
        batch = _fitted(examples.batch(batch_rows), shapes, examples)
        return [batch[key] for key in names]

    indices = tf.data.Dataset.from_generator(
        batches, output_signature=tf.TensorSpec((None,), tf.int64)
    )
    specs = {name: _spec(name, (None,), examples) for name in names}
    return _assembled(indices, assemble, specs, -(-len(rows) // batch_size))


@dataclass(frozen=True)
class Batches:
    """How many batches of which size, in which order.

    Attributes:
        size: videos or pairs in a batch.
        steps: batches.
        seed: of order, augmentation and masking: one number or several.
        augmentation: what is hidden of each video.
        length_pool: batches whose examples are sorted by length together.
        first: the step to begin at, where a run goes on that was interrupted.
    """

    size: int
    steps: int
    seed: int | tuple[int, ...]
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    length_pool: int = 1
    first: int = 0

    def rng(self, step: int) -> np.random.Generator:
        """The source of all choices made for one batch."""
        return np.random.default_rng([*seed_numbers(self.seed), 1, step])


def pretraining_dataset(
    examples: Examples, batches: Batches, corruption: Corruption | None = None
) -> tf.data.Dataset:
    """Shuffled batches of videos with their labels, spoiled as asked for."""
    tokenizer, corruption = examples.tokenizer, corruption or Corruption()
    keys = corruption.keys(examples.names)

    def assemble(step: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        rng = batches.rng(int(step))
        batch = hide_parts(examples.batch(rows), batches.augmentation, rng)
        batch = corruption.apply(batch, tokenizer.special, len(tokenizer), rng)
        batch = _fitted(batch, shapes, examples)
        return [batch[key] for key in keys]

    specs = {key: _spec(key, (batches.size,), examples) for key in keys}
    lengths = examples.lengths(np.arange(len(examples)))
    shapes = training_shapes(lengths, batches, corruption.words)
    steps = batches.steps - batches.first
    return _assembled(_shuffled(lengths, batches), assemble, specs, steps)


def pair_dataset(
    examples: Examples, pair_rows: np.ndarray, sim: np.ndarray, batches: Batches
) -> tf.data.Dataset:
    """Shuffled batches of pairs.

    Args:
        examples: the videos.
        pair_rows: (P, 2) rows of each pair's videos.
        sim: (P,) ratings.
        batches: how many, and in which order.

    Returns:
        Elements as PairScorer reads them: a pair axis of 2 after the batch axis, and SIM (B,).
    """
    keys = examples.names

    def assemble(step: np.ndarray, pairs: np.ndarray) -> list[np.ndarray]:
        batch = examples.batch(pair_rows[pairs].reshape(-1))
        batch = hide_parts(batch, batches.augmentation, batches.rng(int(step)))
        batch = _fitted(batch, shapes, examples)
        shaped = [batch[key].reshape(len(pairs), 2, *batch[key].shape[1:]) for key in keys]
        return [*shaped, sim[pairs].astype("float32")]

    specs = {key: _spec(key, (batches.size, 2), examples) for key in keys}
    specs[schema.SIM] = tf.TensorSpec((batches.size,), tf.float32)
    # both videos of a pair are padded alike: (P, 2) rows -> (P, 2) tokens and frames of the longer
    lengths = np.maximum(*(examples.lengths(rows) for rows in pair_rows.T))
    shapes = training_shapes(lengths, batches)
    steps = batches.steps - batches.first
    return _assembled(_shuffled(lengths, batches), assemble, specs, steps)


def text_video_dataset(
    texts: Examples, videos: Examples, video_rows: np.ndarray, batches: Batches
) -> tf.data.Dataset:
    """Shuffled batches of sentences, each with its video.

    Args:
        texts: the sentences, without vectors.
        videos: the videos, without words.
        video_rows: (P,) the row of each sentence's video.
        batches: how many, and in which order.

    Returns:
        Elements as TwoTower reads them: an axis of 2, sentence and video, after the batch axis, and
        VIDEO_ROW (B,).
    """
    keys = [name for name in videos.names if name not in LABELS]

    def assemble(step: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        batch = _side_by_side(texts.batch(rows), videos.batch(video_rows[rows]), keys)
        batch = hide_parts(batch, batches.augmentation, batches.rng(int(step)))
        batch = _fitted(batch, shapes, texts)
        shaped = [batch[key].reshape(len(rows), 2, *batch[key].shape[1:]) for key in keys]
        return [*shaped, video_rows[rows].astype("int32")]

    specs = {key: _spec(key, (batches.size, 2), videos) for key in keys}
    specs[schema.VIDEO_ROW] = _spec(schema.VIDEO_ROW, (batches.size,), videos)
    # either side is padded to the longer one
    lengths = np.maximum(texts.lengths(np.arange(len(texts))), videos.lengths(video_rows))
    shapes = training_shapes(lengths, batches)
    steps = batches.steps - batches.first
    return _assembled(_shuffled(lengths, batches), assemble, specs, steps)


def labelled_dataset(
    examples: Examples, rows: np.ndarray, labels: Mapping[str, np.ndarray], batches: Batches
) -> tf.data.Dataset:
    """Shuffled batches of some videos of a table, each with what a task knows of it.

    Args:
        examples: the videos.
        rows: (R,) those to train on.
        labels: by name, (R, ...) each.
        batches: how many, and in which order.

    Returns:
        Elements: a backbone's inputs and the labels.
    """
    keys = [name for name in examples.names if name not in LABELS]

    def assemble(step: np.ndarray, places: np.ndarray) -> list[np.ndarray]:
        batch = examples.batch(rows[places])
        batch = hide_parts(batch, batches.augmentation, batches.rng(int(step)))
        batch = _fitted(batch, shapes, examples)
        return [*(batch[key] for key in keys), *(label[places] for label in labels.values())]

    specs = {key: _spec(key, (batches.size,), examples) for key in keys}
    for name, label in labels.items():
        specs[name] = tf.TensorSpec((batches.size, *label.shape[1:]), label.dtype)
    lengths = examples.lengths(rows)
    shapes = training_shapes(lengths, batches)
    steps = batches.steps - batches.first
    return _assembled(_shuffled(lengths, batches), assemble, specs, steps)


def steps_per_epoch(count: int, batch_size: int, what: str) -> int:
    """Whole batches in one pass; the rest of a pass is dropped, another rest each time."""
    if count < batch_size:
        raise VidsimError(
            f"--batch-size {batch_size} is more than the {count} {what} there are; "
            f"give at most {count}"
        )
    return count // batch_size


def _side_by_side(
    one: dict[str, np.ndarray], other: dict[str, np.ndarray], keys: list[str]
) -> dict[str, np.ndarray]:
    """Two batches of B rows as one of 2B, in turn a row of each; the shorter one is padded."""
    made = {}
    for key in keys:
        length = max(one[key].shape[1], other[key].shape[1])
        shape = (2 * len(one[key]), length, *other[key].shape[2:])
        made[key] = np.zeros(shape, other[key].dtype)
        for first, side in enumerate((one[key], other[key])):
            made[key][first::2, : side.shape[1]] = side
    return made


def _fitted(
    batch: dict[str, np.ndarray], shapes: BatchShapes | None, examples: Examples
) -> dict[str, np.ndarray]:
    return batch if shapes is None else shapes.padded(batch, examples.tokenizer.special.pad)


def _shuffled(lengths: np.ndarray, batches: Batches) -> tf.data.Dataset:
    """(step, rows) of every batch."""

    def indices() -> Iterator[tuple[int, np.ndarray]]:
        return batches_of_run(
            lengths, batches.size, batches.steps, batches.length_pool, batches.seed, batches.first
        )

    signature = (tf.TensorSpec((), tf.int64), tf.TensorSpec((batches.size,), tf.int64))
    return tf.data.Dataset.from_generator(indices, output_signature=signature)


def _assembled(
    indices: tf.data.Dataset,
    assemble: Callable[..., list[np.ndarray]],
    specs: dict[str, tf.TensorSpec],
    steps: int | None = None,
) -> tf.data.Dataset:
    """Maps index batches to dicts of tensors, in parallel and in order."""

    def load(*index: tf.Tensor) -> dict[str, tf.Tensor]:
        dtypes = [spec.dtype for spec in specs.values()]
        tensors = tf.numpy_function(assemble, index, dtypes, stateful=False)
        for tensor, spec in zip(tensors, specs.values(), strict=True):
            tensor.set_shape(spec.shape)
        return dict(zip(specs, tensors, strict=True))

    dataset = indices.map(load, num_parallel_calls=_WORKERS, deterministic=True)
    if steps is not None:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.prefetch(_WORKERS)


def _spec(key: str, leading: tuple, examples: Examples) -> tf.TensorSpec:
    dtype, rank = TYPES[key]
    trailing: list[int | None] = [None] * rank
    if rank:
        trailing[-1] = examples.last_size(key)
    return tf.TensorSpec((*leading, *trailing), tf.as_dtype(dtype))
