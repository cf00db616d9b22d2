"""The input pipeline of the published kind: one tf.py_function per field and example.

Written for the comparison after its description: records are parsed one by one, and title, frames
and tags each take a call of Python, under its lock.
"""

import numpy as np
import tensorflow as tf

_VIDEO = {
    "title": tf.io.FixedLenFeature([], tf.string),
    "frame_feature": tf.io.VarLenFeature(tf.string),
    "tag_id": tf.io.VarLenFeature(tf.int64),
}


def videos(path: str, tokenizer, tags: int, length: int, batch_size: int) -> tf.data.Dataset:
    """Batches of single videos with their tags."""
    parse = _Parser(tokenizer, tags, length)

    def load(record):
        return parse(tf.io.parse_single_example(record, _VIDEO), "")

    return _finish(path, load, 8 * batch_size, batch_size)


def pairs(path: str, tokenizer, tags: int, length: int, batch_size: int) -> tf.data.Dataset:
    """Batches of pairs, both videos in one record."""
    parse = _Parser(tokenizer, tags, length)
    fields = {f"{name}_{side}": kind for name, kind in _VIDEO.items() for side in (1, 2)}

    def load(record):
        example = tf.io.parse_single_example(
            record, fields | {"sim": tf.io.FixedLenFeature([], tf.float32)}
        )
        return parse(example, "_1"), parse(example, "_2"), example["sim"]

    return _finish(path, load, 10 * batch_size, batch_size)


class _Parser:
    def __init__(self, tokenizer, tags: int, length: int, frames: int = 32):
        self._tokenizer, self._tags = tokenizer, tags
        self._length, self._frames = length, frames

    def __call__(self, example, suffix: str):
        ids, mask = tf.py_function(self._title, [example["title" + suffix]], [tf.int32, tf.int32])
        feature = tf.sparse.to_dense(example["frame_feature" + suffix])
        frames, count = tf.py_function(self._read, [feature], [tf.float32, tf.int32])
        tag_ids = tf.sparse.to_dense(example["tag_id" + suffix])
        labels = tf.py_function(self._multi_hot, [tag_ids], tf.int32)
        ids.set_shape([self._length])
        mask.set_shape([self._length])
        frames.set_shape([self._frames, 1536])
        count.set_shape([])
        labels.set_shape([self._tags])
        return ids, mask, frames, count, labels

    def _title(self, title):
        ids = self._tokenizer.encode(title.numpy().decode()).ids[: self._length]
        padding = self._length - len(ids)
        return ids + [0] * padding, [1] * len(ids) + [0] * padding

    def _read(self, features):
        frames = [np.frombuffer(item, "float16").astype("float32") for item in features.numpy()]
        count = len(frames[: self._frames])
        frames = frames[:count] + [np.zeros(1536, "float32")] * (self._frames - count)
        return np.stack(frames), count

    def _multi_hot(self, tag_ids):
        labels = np.zeros(self._tags, "int32")
        labels[tag_ids.numpy()] = 1
        return labels


def _finish(path: str, load, buffer: int, batch_size: int) -> tf.data.Dataset:
    dataset = tf.data.TFRecordDataset(path, num_parallel_reads=tf.data.AUTOTUNE).repeat()
    dataset = dataset.shuffle(buffer).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size, drop_remainder=True).prefetch(2)
