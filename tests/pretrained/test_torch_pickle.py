"""Pickles that want more than describe tensors, or want Python to choke on them."""

import contextlib
import io
import pickle
import posix
import struct
import time
import tracemalloc
from collections import OrderedDict

import pytest

from vidsim.errors import VidsimError
from vidsim.pretrained.torch_pickle import TorchPickle, TorchStorage, TorchTensor

STORAGE = b"(X\x07\0\0\0storagectorch\nHalfStorage\nX\x01\0\0\x007X\x03\0\0\0cpuK\x06tQ"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x01(K\x02t(K\x03t\x89NtR"
EXPECTED = TorchTensor(TorchStorage("torch.HalfStorage", "7", 6), 1, (2,), (3,))


def follow(program: bytes):
    return TorchPickle(io.BytesIO(program)).follow()


class Payload:
    """Pickled as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


# --- What tensors need ----------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_values_are_those_of_pickle(protocol):
    """Parity with Python's own, for everything that the two share."""
    value = {"numbers": [0, 1, -1, 300, 70000, -(2**40), 2**3000, 0.5, True, False, None]}
    value |= {"texts": ("", "a", "猫" * 200), "again": value["numbers"], "one": ("x",)}
    value |= {"two": ((), []), "three": ({}, 1, 2), "ordered": OrderedDict(b=1, a=2), "last": [7]}
    program = pickle.dumps(value, protocol)
    found = follow(program)
    assert found == pickle.loads(program)
    assert list(found["ordered"]) == ["b", "a"]
    assert found["again"] is found["numbers"]


def test_a_tensor_a_parameter_and_its_storage():
    pickled = TorchPickle(io.BytesIO(TENSOR + b"."))
    assert pickled.follow() == EXPECTED
    assert pickled.storages == {"7": EXPECTED.storage}
    assert EXPECTED.storage.nbytes == 12
    assert EXPECTED.span() == 4  # elements 1 and 4, and what is between
    assert follow(b"ctorch._utils\n_rebuild_parameter\n(" + TENSOR + b"\x88NtR.") == EXPECTED


def test_what_python_2_wrote():
    """Short byte strings for names, and OrderedDict([[name, value]])."""
    pairs = b"](](U\x01aK\x01e](U\x01bK\x02ee"
    assert follow(b"ccollections\nOrderedDict\n(" + pairs + b"tR.") == {"a": 1, "b": 2}


def test_several_pickles_in_one_stream():
    pickled = TorchPickle(io.BytesIO(b"K\x01.K\x02.rest"))
    assert (pickled.follow(), pickled.follow()) == (1, 2)


# --- What they do not -----------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("payload", "name"),
    [(Payload(eval, "1"), "eval"), (Payload(posix.system, "true"), "system")],
)
def test_a_payload_of_any_protocol(payload, name, protocol):
    with pytest.raises(VidsimError, match=rf"(builtins|posix)\.{name}'.*nothing of it was run"):
        follow(pickle.dumps(payload, protocol))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"(iposix\nsystem\n.", "has the instruction INST 'posix system'"),
        (b"ccollections\nOrderedDict\n)\x81.", "has the instruction NEWOBJ"),
        (b"\x82\x01.", "has the instruction EXT1 1"),
        (b"ctorch\nFloatStorage\n}b.", "has the instruction BUILD"),
        (b"ctorch\nload\n.", "names 'torch.load'"),
        (b"X\x02\0\0\0osX\x06\0\0\0system\x93.", "names 'os.system'"),
        (b"ctorch\nFloatStorage\n)R.", "calls torch.FloatStorage with a tuple"),
        (b"K\x01)R.", "calls int with a tuple"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01tR.", "_rebuild_tensor_v2 with a int"),
        (b"(X\x06\0\0\0moduleK\x01K\x01K\x01K\x01tQ.", "not a storage of its own"),
        (STORAGE[:-2] + b"(X\x01\0\0\x008K\0K\x02ttQ.", "not a storage of its own"),
        (STORAGE + STORAGE.replace(b"K\x06", b"K\x05") + b".", "two storages with the key '7'"),
        (STORAGE.replace(b"K\x06", b"J\xff\xff\xff\xff") + b".", "of negative size"),
        (b"}K\x01K\x01s.", "a dict with a key of type int"),
    ],
)
def test_instructions_that_are_refused(program, message):
    with pytest.raises(VidsimError, match=message):
        follow(program)


@pytest.mark.parametrize(
    "program", [b"", b".", b"K\x01", b"K\x01K\x01.", b"t.", b"h\x05.", b"K\x01\x86."]
)
def test_programs_that_are_not_whole(program):
    """The file's reader turns all of these into a message."""
    with pytest.raises((ValueError, IndexError, KeyError, VidsimError)):
        follow(program)


DEEP = b")" + b"\x85" * 100_000  # ((((...),),),): hash() of it ends the process
WIDE = b"K\x01" + b"q\0h\0\x86" * 80  # 2**80 leaves


@pytest.mark.parametrize("tower", [DEEP, WIDE], ids=["deep", "wide"])
@pytest.mark.parametrize(
    "place",
    [
        b"}%sNs.",
        b"ccollections\nOrderedDict\n(](%sNtatR.",
        b"%sQ.",
        b"(X\x07\0\0\0storage%sX\x01\0\0\x007NK\x06tQ.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(%stR.",
        b"%s)R.",
        b"%s}b.",
    ],
)
def test_towers_of_tuples(tower, place):
    """Where Python would hash, compare or print it, that takes for ever or ends the process."""
    start = time.monotonic()
    with pytest.raises((VidsimError, ValueError, TypeError, AttributeError)):
        follow(place.replace(b"%s", tower))
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "program",
    [
        b"K\x01r\xff\xff\xff\x7f.",  # a memo of 2**31 places
        b"X\xff\xff\xff\x7fabc.",
        b"\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
        b"\x8d" + struct.pack("<Q", 2**62) + b"abc.",
        b"\x96" + struct.pack("<Q", 2**40) + b"abc.",
        b"\x95" + struct.pack("<Q", 2**40) + b"K\x01.",
    ],
)
def test_lengths_that_lie_take_no_memory(program):
    tracemalloc.start()
    with contextlib.suppress(VidsimError, ValueError):
        follow(program)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


NONES = b"N" * 300_000
FLOATS = b"ctorch\nFloatStorage\n"


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("long", "again"),
    [
        # the sizes of a tensor: one list for all of them
        (b"](" + NONES + b"eq\1", b"ctorch._utils\n_rebuild_tensor_v2\n(h\2K\1h\1h\1tR"),
        # more arguments than a tensor has
        (b"(h\2" + NONES + b"tq\1", b"ctorch._utils\n_rebuild_tensor_v2\nh\1R"),
        # a storage with more parts than one has
        (b"(X\7\0\0\0storage" + FLOATS + b"X\1\0\0\0000K\1" + NONES + b"tq\1", b"h\1Q"),
        # the pairs of an OrderedDict
        (b"](" + b"X\2\0\0\0ab" * 60_000 + b"e\x85q\1", b"ccollections\nOrderedDict\nh\1R"),
    ],
    ids=["sizes", "arguments", "storage", "pairs"],
)
def test_what_is_long_is_not_copied_again_and_again(long, again):
    """A megabyte that is named ten thousand times would take hours and all memory."""
    tracemalloc.start()
    with pytest.raises(VidsimError):
        follow(STORAGE + b"q\2" + long + again * 10_000 + b".")
    assert tracemalloc.get_traced_memory()[1] < 200 << 20
    tracemalloc.stop()


@pytest.mark.timeout(30)
def test_numbers_of_megabytes_are_not_multiplied():
    large = 1 << 8 * (1 << 20)
    storage = TorchStorage("torch.FloatStorage", "0", 2)
    with pytest.raises(VidsimError, match=r"whole numbers from 0 to 2\*\*63"):
        TorchTensor(storage, 0, (*[large] * 63, 0), (0,) * 64).span()
    with pytest.raises(VidsimError, match="too large"):
        program = STORAGE.replace(b"K\x06", b"\x8b\x09\0\0\0" + b"\1" * 9)
        follow(program + b".")
