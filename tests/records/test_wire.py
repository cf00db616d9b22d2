"""The wire format: equal to protobuf's reading of it, also where protobuf allows oddities."""

import struct

import pytest
import tensorflow as tf

from vidsim.records.wire import (
    BYTES,
    EMPTY,
    FLOAT,
    INT64,
    ElementSpan,
    Feature,
    WireError,
    element_span,
    encode_example,
    parse_example,
)

FEATURES = {
    "bytes": Feature(BYTES, [b"a", b"", b"x" * 300]),
    "ints": Feature(INT64, [0, 1, -1, 127, 128, 2**63 - 1, -(2**63)]),
    "floats": Feature(FLOAT, [0.5, -2.0]),
    "no bytes": Feature(BYTES, []),
    "no ints": Feature(INT64, []),
    "nothing": Feature(EMPTY, ()),
}


def field(tag: int, payload: bytes) -> bytes:
    assert len(payload) < 128
    return bytes((tag, len(payload))) + payload


def example(*entries: bytes) -> bytes:
    return field(0x0A, b"".join(field(0x0A, entry) for entry in entries))


def entry(name: bytes, feature: bytes) -> bytes:
    return field(0x0A, name) + field(0x12, feature)


def lists(parsed: dict[str, Feature]) -> dict[str, tuple[str, list]]:
    return {name: (kind, list(values)) for name, (kind, values) in parsed.items()}


def test_derived_bytes_of_an_example():
    """One feature "a" with the int 300, which is the varint AC 02.

    Innermost first: packed ints 0A 02 AC 02; Feature field 3: 1A 04 ...; map entry: key 0A 01 61,
    value 12 06 ...; Features: 0A 0B ...; Example: 0A 0D ....
    """
    expected = "0a 0d 0a 0b 0a 01 61 12 06 1a 04 0a 02 ac 02"
    assert encode_example({"a": Feature(INT64, [300])}) == bytes.fromhex(expected)


def test_parity_of_writing_with_protobuf():
    ours = tf.train.Example.FromString(encode_example(FEATURES)).features.feature
    assert set(ours) == set(FEATURES)
    assert list(ours["bytes"].bytes_list.value) == FEATURES["bytes"].values
    assert list(ours["ints"].int64_list.value) == FEATURES["ints"].values
    assert list(ours["floats"].float_list.value) == FEATURES["floats"].values
    assert ours["no ints"].WhichOneof("kind") == "int64_list"
    assert ours["nothing"].WhichOneof("kind") is None


def test_parity_of_reading_with_protobuf():
    message = tf.train.Example.FromString(encode_example(FEATURES))
    assert lists(parse_example(message.SerializeToString())) == lists(FEATURES)


def test_unpacked_lists():
    ints = field(0x1A, b"\x08\x05\x08\xac\x02")
    floats = field(0x12, b"\x0d" + struct.pack("<f", 1.5) + b"\x0d" + struct.pack("<f", 2))
    record = example(entry(b"i", ints), entry(b"f", floats))
    assert lists(parse_example(record)) == {"i": (INT64, [5, 300]), "f": (FLOAT, [1.5, 2.0])}
    theirs = tf.train.Example.FromString(record).features.feature
    assert list(theirs["i"].int64_list.value) == [5, 300]
    assert list(theirs["f"].float_list.value) == [1.5, 2.0]


def test_unknown_fields_value_before_key_and_later_duplicate():
    unknown = b"\x98\x06\x01" + field(0x22, b"?") + b"\x2d1234" + b"\x3112345678"
    first = entry(b"a", field(0x0A, field(0x0A, b"old")))
    backwards = field(0x12, unknown + field(0x0A, field(0x0A, b"new") + unknown)) + field(
        0x0A, b"a"
    )
    record = unknown + example(first, backwards) + unknown
    assert lists(parse_example(record)) == {"a": (BYTES, [b"new"])}
    theirs = tf.train.Example.FromString(record).features.feature["a"]
    assert list(theirs.bytes_list.value) == [b"new"]


def test_elements_in_place():
    record = encode_example(
        {"x": Feature(INT64, [7]), "e": Feature(BYTES, [b"abcd", b"efgh", b"ijkl"])}
    )
    features = parse_example(record, frozenset("e"))
    span = element_span(record, *features["e"].values, 4)
    assert span == ElementSpan(3, record.index(b"abcd"), 6)
    assert record[span.offset + 2 * span.stride :][:4] == b"ijkl"


@pytest.mark.parametrize("elements", [[], [b"abcd"]])
def test_no_or_one_element_at_the_end_of_the_record(elements):
    record = encode_example({"e": Feature(BYTES, elements)})
    place = parse_example(record, frozenset("e"))["e"].values
    assert element_span(record, *place, 4).count == len(elements)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([b"abcd", b"abc", b"abcd"], "element 1 has 3 bytes"),
        ([b"abcd", b"abcd", b"abcde"], "element 2 has 5 bytes"),
        ([b"abc", b"abcde", b"abcd"], "element 0 has 3 bytes"),  # the sum of the lengths fits
    ],
)
def test_elements_of_another_size(elements, message):
    record = encode_example({"e": Feature(BYTES, elements)})
    place = parse_example(record, frozenset("e"))["e"].values
    with pytest.raises(WireError, match=message):
        element_span(record, *place, 4)


def test_a_cut_example_is_an_error():
    record = encode_example(FEATURES)
    for kept in range(1, len(record)):
        with pytest.raises(WireError, match="not a serialized"):
            parse_example(record[:kept])


@pytest.mark.parametrize("record", [b"\x0b", b"\x0a\xff", b"\x0a" + b"\xff" * 12])
def test_bytes_that_are_no_example(record):
    with pytest.raises(WireError, match="not a serialized"):
        parse_example(record)


def test_a_number_that_runs_out_of_its_list():
    record = example(entry(b"i", b"\x1a\x03\x0a\x01\x80"), b"")
    with pytest.raises(WireError, match="not a serialized"):
        parse_example(record)


def test_a_number_without_end_is_refused_at_once():
    """A varint has ten bytes at most; a million would take time that grows with its square."""
    with pytest.raises(WireError, match="a number has more than ten bytes"):
        parse_example(b"\x08" + b"\xff" * 1_000_000)
    assert parse_example(b"\x08" + b"\xff" * 9 + b"\x01") == {}


def test_elements_that_end_with_the_record_in_the_middle_of_one():
    record = example(entry(b"e", field(0x0A, field(0x0A, b"abcd") + b"\x0a")))
    place = parse_example(record, frozenset("e"))["e"].values
    with pytest.raises(WireError, match="not a serialized"):
        element_span(record, *place, 4)


def test_a_sequence_example_is_named():
    """Also with a context that would do for an Example; one without lists is an Example's bytes."""
    example = tf.train.SequenceExample()
    example.context.feature["id"].bytes_list.value.append(b"1")
    assert parse_example(example.SerializeToString())["id"].values == [b"1"]
    frames = example.feature_lists.feature_list["frame_feature"]
    frames.feature.add().bytes_list.value.append(b"frame")
    with pytest.raises(
        WireError, match=r"a tf\.train\.SequenceExample; expected is a tf\.train\.Ex"
    ):
        parse_example(example.SerializeToString())
