"""The protobuf wire format of a tf.train.Example, read and written in plain Python.

Reading it here keeps TensorFlow out of the data tools and, above all, leaves the frame features
where they are: a video's frames are described by where they begin and how far apart they lie,
never copied. Writing it here gives the same bytes every time, which protobuf does not promise.
"""

import functools
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

# Tags of length-delimited fields, as they stand in the file. Example, Features and each of the
# lists use field 1; a map entry has its key in 1 and its Feature in 2; Feature has one of 1-3.
_FIELD_1, _FIELD_2, _FIELD_3 = 0x0A, 0x12, 0x1A
_VARINT_1, _FIXED32_1 = 0x08, 0x0D  # one element of an unpacked int64 list, float list
_SIGN = 1 << 63
_VARINT_BITS = 70  # a number has ten bytes of seven bits at most

BYTES, FLOAT, INT64, EMPTY = "bytes", "float", "int64", "empty"
_KINDS = {_FIELD_1: BYTES, _FIELD_2: FLOAT, _FIELD_3: INT64}
_TAGS = {kind: tag for tag, kind in _KINDS.items()}
_SEQUENCE = (
    "a tf.train.SequenceExample; expected is a tf.train.Example, which has all frames of a video "
    "in one bytes list: write the file anew with tf.train.Example"
)


class WireError(ValueError):
    """The bytes are not a tf.train.Example, or not the one expected; the message says how."""


class Feature(NamedTuple):
    """One feature of an Example.

    `kind` is "bytes", "float", "int64", or "empty" where no list is set. `values` holds the
    list's elements; of a feature read in place it holds the (start, stop) of the encoded list
    within the record.
    """

    kind: str
    values: Sequence[bytes] | Sequence[float] | Sequence[int]


class ElementSpan(NamedTuple):
    """Equally spaced elements in a record: element i begins at byte `offset + i * stride`."""

    count: int
    offset: int
    stride: int


def parse_example(record: bytes, in_place: frozenset[str] = frozenset()) -> dict[str, Feature]:
    """Read the features of a serialized tf.train.Example; of a name given twice the last counts.

    Args:
        record: the serialized Example.
        in_place: names of the bytes features whose elements are not copied, see `Feature`.

    Raises:
        WireError: the bytes are cut off or not an Example, but a SequenceExample for instance.
    """
    features: dict[str, Feature] = {}
    try:
        for tag, start, stop in _fields(record, 0, len(record)):
            if tag == _FIELD_2:
                raise WireError(_SEQUENCE)
            if tag != _FIELD_1:
                continue
            for tag, first, last in _fields(record, start, stop):
                if tag == _FIELD_1:
                    name, feature = _map_entry(record, first, last, in_place)
                    features[name] = feature
    except (IndexError, UnicodeDecodeError, struct.error) as error:
        raise WireError("not a serialized tf.train.Example") from error
    return features


def element_span(record: bytes, start: int, stop: int, element_bytes: int) -> ElementSpan:
    """Check that an encoded bytes list holds elements of one size only, and say where they lie.

    Args:
        record: the serialized Example.
        start: where the encoded list begins, as `parse_example` says of a feature in place.
        stop: where it ends.
        element_bytes: the size that every element must have.

    Raises:
        WireError: an element has another size; the message names the first. Or the list is cut off.
    """
    header = bytes((_FIELD_1, *_varint_bytes(element_bytes)))
    stride = len(header) + element_bytes
    count, rest = divmod(stop - start, stride)
    if not rest:
        rows = np.frombuffer(record, np.uint8, count * stride, start).reshape(count, stride)
        if (rows[:, : len(header)] == np.frombuffer(header, np.uint8)).all():
            return ElementSpan(count, start + len(header), stride)
    try:
        elements = _bytes_list(record, start, stop)
    except IndexError as error:
        raise WireError("not a serialized tf.train.Example") from error
    for number, element in enumerate(elements):
        if len(element) != element_bytes:
            raise WireError(f"element {number} has {len(element)} bytes")
    raise WireError("the elements do not lie at equal distances; rewrite the file with TensorFlow")


def first_element_bytes(record: bytes, start: int, stop: int) -> int | None:
    """Size of the first element of an encoded bytes list; None if it has none.

    Raises:
        WireError: the list is cut off.
    """
    try:
        sizes = (b - a for tag, a, b in _fields(record, start, stop) if tag == _FIELD_1)
        return next(sizes, None)
    except IndexError as error:
        raise WireError("not a serialized tf.train.Example") from error


def element_stride(element_bytes: int) -> int:
    """Bytes from one element of a list to the next: tag and length stand before each."""
    return 1 + len(_varint_bytes(element_bytes)) + element_bytes


def encode_example(features: Mapping[str, Feature]) -> bytes:
    """Serialize features as a tf.train.Example, in the order given.

    A record of frames has a hundred kilobytes, so it is put together once, of parts whose lengths
    are known, and not copied for every level that they are nested in.
    """
    parts: list[bytes] = []
    for name, (kind, values) in features.items():
        feature = [] if kind == EMPTY else _delimited(_TAGS[kind], _encoded_list(kind, values))
        entry = _delimited(_FIELD_1, [name.encode()]) + _delimited(_FIELD_2, feature)
        parts += _delimited(_FIELD_1, entry)
    return b"".join(_delimited(_FIELD_1, parts))


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (tag, start, stop) of each field between two bytes; of a number, where it stands."""
    while at < end:
        tag = data[at]
        at += 1
        if tag >= 0x80:
            tag, at = _varint(data, at - 1)
        wire_type = tag & 7
        if wire_type == 2:
            size = data[at]
            at += 1
            if size >= 0x80:
                size, at = _varint(data, at - 1)
            stop = at + size
        elif wire_type == 0:
            _, stop = _varint(data, at)
        elif wire_type in (1, 5):
            stop = at + (8 if wire_type == 1 else 4)
        else:
            raise WireError(f"not a serialized tf.train.Example: wire type {wire_type}")
        if stop > end:
            raise WireError(f"not a serialized tf.train.Example: a field ends {stop - end} late")
        yield tag, at, stop
        at = stop


def _map_entry(
    record: bytes, start: int, stop: int, in_place: frozenset[str]
) -> tuple[str, Feature]:
    name, feature = "", Feature(EMPTY, ())
    place = stop, stop
    for tag, first, last in _fields(record, start, stop):
        if tag == _FIELD_1:
            name = record[first:last].decode()
        elif tag == _FIELD_2:
            place = first, last
    for tag, first, last in _fields(record, *place):
        kind = _KINDS.get(tag)
        if kind == BYTES:
            kept = name in in_place
            values = (first, last) if kept else _bytes_list(record, first, last)
            feature = Feature(kind, values)
        elif kind == INT64:
            feature = Feature(kind, _int64_list(record, first, last))
        elif kind == FLOAT:
            feature = Feature(kind, _float_list(record, first, last))
    return name, feature


def _bytes_list(data: bytes, start: int, stop: int) -> list[bytes]:
    return [data[a:b] for tag, a, b in _fields(data, start, stop) if tag == _FIELD_1]


def _int64_list(data: bytes, start: int, stop: int) -> list[int]:
    values = []
    for tag, at, end in _fields(data, start, stop):
        if tag not in (_FIELD_1, _VARINT_1):
            continue
        while at < end:
            value, at = _varint(data, at)
            values.append(value - (value & _SIGN) * 2)
        if at > end:
            raise WireError("not a serialized tf.train.Example: a number is cut off")
    return values


def _float_list(data: bytes, start: int, stop: int) -> list[float]:
    values: list[float] = []
    for tag, at, end in _fields(data, start, stop):
        if tag in (_FIELD_1, _FIXED32_1):
            values.extend(struct.unpack(f"<{(end - at) // 4}f", data[at:end]))
    return values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a varint: (its value, the byte after it)."""
    value = 0
    for shift in range(0, _VARINT_BITS, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise WireError("not a serialized tf.train.Example: a number has more than ten bytes")


@functools.lru_cache(maxsize=1 << 14)  # mostly lengths, which come again
def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    value &= 0xFFFFFFFFFFFFFFFF
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _delimited(tag: int, payload: list[bytes]) -> list[bytes]:
    """A field of this tag whose payload is the parts one after the other."""
    return [bytes((tag,)) + _varint_bytes(sum(map(len, payload))), *payload]


def _encoded_list(kind: str, values: Sequence) -> list[bytes]:
    if kind == BYTES:
        sizes = {len(value) for value in values}  # vectors have one
        before = {size: bytes((_FIELD_1,)) + _varint_bytes(size) for size in sizes}
        return [part for value in values for part in (before[len(value)], value)]
    if not values:
        return []
    if kind == FLOAT:
        return _delimited(_FIELD_1, [struct.pack(f"<{len(values)}f", *values)])
    return _delimited(_FIELD_1, [*map(_varint_bytes, values)])
