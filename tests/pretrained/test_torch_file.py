"""torch.save's two formats: what torch wrote, and files that lie about what they hold."""

import io
import posix
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.pretrained.torch_file import read_torch_file

MAGIC = 0x1950A86A20F9469CFC6C
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")


@pytest.fixture(scope="module")
def goldens() -> dict[str, bytes]:
    """What torch 2.13.0 wrote, by make_bin_goldens.py: zip, legacy and a hostile file of each."""
    with np.load(Path(__file__).parent / "goldens" / "torch_files.npz") as file:
        return {name: file[name].tobytes() for name in file.files}


@pytest.fixture
def read(tmp_path):
    """`read(content)`: what read_torch_file makes of a file with these bytes."""

    def run(content: bytes) -> dict[str, np.ndarray]:
        (tmp_path / "w.bin").write_bytes(content)
        return read_torch_file(tmp_path / "w.bin")

    return run


# --- A pickle by hand: values, and what only a pickle has -----------------------------------------


def written(value) -> bytes:
    """The instructions that make a value."""
    match value:
        case None:
            return b"N"
        case int():
            return b"\x8a\x0a" + value.to_bytes(10, "little", signed=True)
        case str():
            return b"X" + struct.pack("<I", len(value)) + value.encode()
        case tuple():
            return b"(" + b"".join(map(written, value)) + b"t"
        case list():
            return b"](" + b"".join(map(written, value)) + b"e"
        case dict():
            return b"}(" + b"".join(written(x) for pair in value.items() for x in pair) + b"u"
    raise AssertionError(value)


def pickled(value) -> bytes:
    return b"\x80\x02" + written(value) + b"."


class Tensor:
    """A tensor in a pickle by hand, of the storage "0"."""

    def __init__(self, offset=0, shape=(2,), strides=(1,), numel=2, kind="Float"):
        self.view, self.numel, self.kind = (offset, shape, strides), numel, kind

    def state(self, legacy=False) -> bytes:
        storage = written("storage") + f"ctorch\n{self.kind}Storage\n".encode()
        storage += written("0") + written("cpu") + written(self.numel) + b"N" * legacy
        view = b"".join(map(written, self.view))
        call = b"ctorch._utils\n_rebuild_tensor_v2\n((" + storage + b"tQ" + view + b"tR"
        return b"\x80\x02}" + written("w") + call + b"s."


def zip_file(
    program: bytes, content: bytes = b"\0" * 8, method=zipfile.ZIP_STORED, **more
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a/data.pkl", program)
        archive.writestr("a/data/0", content)
        for name, text in more.items():
            archive.writestr(f"a/{name}", text)
    return file.getvalue()


def legacy_file(program: bytes, numel=2, content=b"\0" * 8, keys=("0",), protocol=1001) -> bytes:
    start = pickled(MAGIC) + pickled(protocol) + pickled({"little_endian": 1})
    return start + program + pickled(list(keys)) + struct.pack("<q", numel) + content


FORMATS = pytest.mark.parametrize("kind", ["zip", "legacy"])

# --- What torch wrote -----------------------------------------------------------------------------


@FORMATS
def test_every_tensor_as_torch_wrote_it(goldens, read, kind):
    """float32(1/3) is 0x3eaaaaab, so bfloat16 rounds to 0x3eab; 1e30 = 0x7149f2ca to 0x714a."""
    counted = np.arange(6, dtype="float32").reshape(2, 3)
    expected = {name: np.array([1, 100], name) for name in ("float64", "float32", "float16")}
    expected["bfloat16"] = np.array([1, 100], "float32")
    expected |= {name: np.array([1, 100], name) for name in INTEGERS}
    expected["bool"] = np.array([True, False, True])
    expected["third"] = np.array([0x3EAB0000, 0xF14A0000, 0x7F800000], "uint32").view("float32")
    expected["scalar"] = np.array(-7.5, "float32")
    expected["empty"] = np.zeros((0, 3), "float32")
    expected |= {"counted": counted, "tied": counted, "turned": counted.T}
    expected |= {"columns": counted[:, 1:], "repeated": np.ones((2, 2), "float32")}
    expected["parameter"] = np.array([0.5, 0.25], "float32")
    found = read(goldens[kind])
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
        assert found[name].flags.c_contiguous and found[name].flags.writeable
        np.testing.assert_array_equal(found[name], value, name)
    found["counted"][:] = 9
    np.testing.assert_array_equal(found["tied"], counted)


@FORMATS
def test_a_payload_is_named_and_not_run(goldens, read, kind, monkeypatch):
    monkeypatch.setattr(posix, "system", lambda command: pytest.fail(f"{command} was run"))
    with pytest.raises(VidsimError, match=r"w\.bin: its pickle names 'posix.system'.*safetensors"):
        read(goldens[f"hostile-{kind}"])


@FORMATS
def test_cut_short_anywhere(goldens, read, kind):
    content = goldens[kind]
    assert len(read(content)) == 19
    for length in [*range(0, len(content) - 1, 97), len(content) - 1]:
        with pytest.raises(VidsimError, match=r"w\.bin: "):
            read(content[:length])


@FORMATS
def test_flipped_bytes_end_in_a_message_or_in_tensors(goldens, read, kind):
    rng = np.random.default_rng(3)
    outcomes = {"message": 0, "tensors": 0}
    for trial in range(400):
        content = np.frombuffer(goldens[kind], "uint8").copy()
        places = rng.integers(0, len(content), 1 + trial % 3)
        content[places] = rng.integers(0, 256, len(places))
        try:
            found = read(content.tobytes())
        except VidsimError:
            outcomes["message"] += 1
        else:
            outcomes["tensors"] += 1
            assert all(isinstance(value, np.ndarray) for value in found.values())
    assert min(outcomes.values()) >= 10, outcomes


# --- Files by hand --------------------------------------------------------------------------------


def test_the_files_by_hand_are_read(read):
    """The lies below are each one step from these."""
    content = np.array([3, 4], "<f4")
    swapped = content.byteswap().tobytes()
    for file in (
        zip_file(Tensor().state(), content.tobytes()),
        zip_file(Tensor().state(), content.tobytes(), byteorder="little"),
        zip_file(Tensor().state(), swapped, byteorder="big"),
        legacy_file(Tensor().state(legacy=True), content=content.tobytes()),
    ):
        found = read(file)
        assert list(found) == ["w"] and found["w"].dtype == np.dtype("float32")
        assert found["w"].tolist() == [3, 4]


@FORMATS
@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (Tensor(shape=(3,)), "tensor 'w': it reaches element 3 of a storage of 2"),
        (Tensor(offset=1), "reaches element 3 of a storage of 2"),
        (Tensor(strides=(2,)), "reaches element 3 of a storage of 2"),
        (Tensor(strides=(2**60,)), r"reaches element 1152\d+ of a storage"),
        (Tensor(offset=-1), "not whole numbers from 0"),
        (Tensor(shape=(-2,)), "not whole numbers from 0"),
        (Tensor(strides=(-1,)), "not whole numbers from 0"),
        (Tensor(shape=("2",)), "not whole numbers from 0"),
        (Tensor(shape=(2, 1)), "it has 2 sizes and 1 strides"),
        (Tensor(shape=(1,) * 65, strides=(1,) * 65), "it has 65 sizes"),
        (Tensor(shape=(2**19, 2), strides=(0, 1)), "the file's bytes are named too often"),
        (Tensor(shape=(2**60, 2**60), strides=(0, 0)), "the file's bytes are named too often"),
        (Tensor(shape=(0, 2**60, 2**60), strides=(0, 0, 0)), "damaged"),
        (Tensor(numel=-2), "of negative size"),
        (Tensor(numel=3), "(by its data.pkl that should be 3 elements of 4|in its pickle 3)"),
        (Tensor(numel=2**61), "(should be 2305\\d+ elements|in its pickle 2305\\d+)"),
        (Tensor(kind="Double"), "(2 elements of 8|ends at byte)"),
        (Tensor(kind="Complex"), "names 'torch.ComplexStorage'"),
    ],
)
def test_views_that_are_not_in_the_file(read, kind, tensor, message):
    legacy = kind == "legacy"
    state = tensor.state(legacy)
    tracemalloc.start()
    with pytest.raises(VidsimError, match=rf"w\.bin: .*{message}"):
        read(legacy_file(state) if legacy else zip_file(state))
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_stride_along_one_element_may_be_anything(read):
    tensor = Tensor(shape=(1, 2), strides=(2**62, 1))
    assert read(zip_file(tensor.state()))["w"].shape == (1, 2)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (zip_file(Tensor().state(), method=zipfile.ZIP_DEFLATED), "is compressed"),
        (zip_file(Tensor().state()).replace(b"a/data/0", b"a/data/1"), "no member 'a/data/0'"),
        (zip_file(b"").replace(b"data.pkl", b"data.bin"), r"0 members \*/data\.pkl"),
        (zip_file(Tensor().state(), byteorder="middle"), "byte order is b'middle'"),
        (zip_file(b"N" * (5 << 20)), "data.pkl has 5242880 bytes; accepted are up to"),
        (legacy_file(Tensor().state(), protocol=1002), "another protocol"),
        (legacy_file(Tensor().state(), numel=-2), "a storage has -2 elements, in its pickle 2"),
        (legacy_file(Tensor().state(), content=b"\0" * 7), r"a storage ends at byte (\d+) of "),
        (legacy_file(Tensor().state(), keys=("0", "1")), "one that no tensor refers to"),
        (legacy_file(Tensor().state(), keys=()), "tensor 'w': its storage is not in the file"),
        (legacy_file(Tensor().state(), keys=(("0",),)), "one that no tensor refers to"),
        (b"", "not a file of torch.save"),
        (b"<!DOCTYPE html>", "not a file of torch.save"),
    ],
)
def test_containers_that_do_not_do(read, file, message):
    with pytest.raises(VidsimError, match=rf"w\.bin: .*{message}"):
        read(file)


def test_a_member_that_says_it_is_larger(read):
    """Both sizes of the last member in the zip's directory: 12 -> 2**31."""
    file = zip_file(Tensor(numel=2**29).state(), b"\0" * 12)
    sizes = struct.pack("<II", 12, 12)
    assert file.count(sizes) == 2  # before the member and in the directory
    start, _, end = file.rpartition(sizes)
    with pytest.raises(VidsimError, match=r"a/data/0 ends at byte 2147\d+ of"):
        read(start + struct.pack("<II", 2**31, 2**31) + end)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([], "holds a list without tensors"),
        ({}, "holds a dict without tensors"),
        ({"epoch": 1, "state_dict": {"name": "x", "none": None}}, "holds a dict without tensors"),
        ({"model": {"x": 1}}, "holds a dict without tensors"),
        ({"net": {"x": 1}}, "'net' is a dict; accepted are tensors"),
        ({"w": [1]}, "'w' is a list"),
    ],
)
def test_other_things_than_a_dict_of_tensors(read, tree, message):
    with pytest.raises(VidsimError, match=message):
        read(zip_file(pickled(tree)))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(VidsimError, match=r"no\.bin: No such file or directory"):
        read_torch_file(tmp_path / "no.bin")
