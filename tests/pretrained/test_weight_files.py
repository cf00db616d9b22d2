"""Which file of a folder is read, shards, and files that are not what their names say."""

import json
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from vidsim.errors import VidsimError
from vidsim.pretrained.weight_files import ACCEPTED, read_weights

TENSORS = {"a": np.array([[1, 2], [3, 4]], "float32"), "b": np.array([5], "int64")}


@pytest.fixture(scope="module")
def torch_files() -> dict[str, bytes]:
    with np.load(Path(__file__).parent / "goldens" / "torch_files.npz") as file:
        return {name: file[name].tobytes() for name in file.files}


def write_safetensors(path, tensors=TENSORS):
    save_file(dict(tensors), str(path))


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["bert"]
        file.create_group("bert").attrs["weight_names"] = ["m/bert/a:0"]
        file["bert"]["m/bert/a:0"] = TENSORS["a"]


def write_index(path, places):
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))


@pytest.fixture
def folder(tmp_path, torch_files):
    """All five ways, each with other names of tensors."""
    write_safetensors(tmp_path / "model.safetensors", {"safe": TENSORS["a"]})
    write_safetensors(tmp_path / "model-1-of-2.safetensors", {"shard1": TENSORS["a"]})
    write_safetensors(tmp_path / "model-2-of-2.safetensors", {"shard2": TENSORS["b"]})
    places = {"shard1": "model-1-of-2.safetensors", "shard2": "model-2-of-2.safetensors"}
    write_index(tmp_path / "model.safetensors.index.json", places)
    write_hdf5(tmp_path / "tf_model.h5")
    (tmp_path / "pytorch_model.bin").write_bytes(torch_files["zip"])
    (tmp_path / "pytorch_model-1-of-1.bin").write_bytes(torch_files["legacy"])
    places = {"counted": "pytorch_model-1-of-1.bin", "bool": "pytorch_model-1-of-1.bin"}
    write_index(tmp_path / "pytorch_model.bin.index.json", places)
    return tmp_path


def test_the_order_of_preference(folder):
    """Each file is read until it is taken away."""
    expected = [{"safe"}, {"shard1", "shard2"}, None, {"bool", "counted"}, {"bert.a"}]
    for accepted, names in zip(ACCEPTED, expected, strict=True):
        path, found = read_weights(folder)
        assert path == folder / accepted
        assert set(found) == names if names else len(found) == 19
        path.unlink()
    with pytest.raises(
        VidsimError, match=r"has no weights: .*; the folder has model-1-of-2\.safet"
    ):
        read_weights(folder)


# --- safetensors ----------------------------------------------------------------------------------


def safetensors_file(**entries) -> bytes:
    """A file by hand: name -> (type, shape, content)."""
    header, content = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, more) in entries.items():
        offsets = [len(content), len(content) + len(more)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        content += more
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def test_every_type_of_safetensors(tmp_path):
    """bfloat16 is the upper half of float32: 0x3f80 is 1, 0xc0a0 is -5."""
    types = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
    tensors = {name: np.array([[1, 0, 1]]).astype(name) for name in types}
    tensors |= {"scalar": np.array(2.5, "float32"), "empty": np.zeros((0, 4), "float32")}
    write_safetensors(tmp_path / "model.safetensors", tensors)
    _, found = read_weights(tmp_path)
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(found[name], value)

    halves = np.array([0x3F80, 0xC0A0], "<u2").tobytes()
    content = safetensors_file(x=("I8", [3], b"abc"), half=("BF16", [2, 1], halves))
    (tmp_path / "model.safetensors").write_bytes(content)
    _, found = read_weights(tmp_path)
    assert found["half"].dtype == np.dtype("float32")
    assert found["half"].tolist() == [[1], [-5]]
    assert found["x"].tolist() == [97, 98, 99]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a whole safetensors file"),
        (b"<!DOCTYPE html><html>", "not a whole safetensors file"),
        (safetensors_file(x=("F32", [2], b"\0" * 8))[:-1], "not a whole safetensors file"),
        (safetensors_file(x=("F32", [3], b"\0" * 8)), "not a whole safetensors file"),
        (safetensors_file(x=("F8_E5M2", [1], b"\0")), "a tensor of type F8_E5M2; accepted are F64"),
    ],
)
def test_safetensors_that_do_not_do(tmp_path, content, message):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(VidsimError, match=rf"model\.safetensors: .*{message}"):
        read_weights(tmp_path)


def test_damaged_safetensors_end_in_a_message_or_in_tensors(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"a": np.zeros((2, 1), "float32"), "b": np.zeros(1, "int8")})
    whole = np.frombuffer(path.read_bytes(), "uint8")
    rng = np.random.default_rng(7)
    outcomes = {"message": 0, "tensors": 0}
    for trial in range(300):
        content = whole.copy()
        places = rng.integers(0, len(content), 1 + trial % 2)
        content[places] = rng.integers(0, 256, len(places))
        path.write_bytes(content[: len(content) - trial % 3 // 2].tobytes())
        try:
            assert read_weights(tmp_path)[1]
            outcomes["tensors"] += 1
        except VidsimError:
            outcomes["message"] += 1
    assert min(outcomes.values()) >= 10, outcomes


# --- Shards ---------------------------------------------------------------------------------------


@pytest.fixture
def sharded(folder):
    (folder / "model.safetensors").unlink()
    return folder


def test_only_what_the_index_places_in_a_shard_is_taken(sharded):
    write_safetensors(sharded / "model-2-of-2.safetensors", TENSORS | {"shard2": TENSORS["b"]})
    _, found = read_weights(sharded)
    assert set(found) == {"shard1", "shard2"}
    np.testing.assert_array_equal(found["shard2"], [5])


def test_shards_that_are_not_there(sharded):
    (sharded / "model-2-of-2.safetensors").unlink()
    with pytest.raises(VidsimError, match=r"names files that are not there: model-2-of-2\.safe"):
        read_weights(sharded)


def test_tensors_that_are_not_in_their_shard(sharded):
    write_safetensors(sharded / "model-2-of-2.safetensors")
    message = r"model-2-of-2\.safetensors: 1 tensors that model\.safetensors\.index.*shard2 for one"
    with pytest.raises(VidsimError, match=message):
        read_weights(sharded)


@pytest.mark.parametrize(
    "shard",
    [
        "../model.safetensors",
        "/etc/model.safetensors",
        "a/model.safetensors",
        "a\\model.safetensors",
        "pytorch_model.bin",
        "",
        "..",
        "a\0.safetensors",
        "a" * 300 + ".safetensors",
        7,
        None,
    ],
)
def test_shards_elsewhere_or_of_another_kind(sharded, shard):
    write_index(sharded / "model.safetensors.index.json", {"w": shard})
    with pytest.raises(VidsimError, match=r"index\.json: w is in .*accepted are names of \.safet"):
        read_weights(sharded)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"weight_map": {}}', '{"weight_map": ["a"]}', "{", "[" * 2000]
)
def test_an_index_that_is_none(sharded, content):
    (sharded / "model.safetensors.index.json").write_text(content)
    with pytest.raises(VidsimError, match=r"model\.safetensors\.index\.json: "):
        read_weights(sharded)


# --- Folders --------------------------------------------------------------------------------------

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 411577189\n"


@pytest.mark.parametrize("name", ACCEPTED)
def test_pointers_of_git_lfs(tmp_path, name):
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(VidsimError, match=rf"{name}: only a pointer of git-lfs.*`git lfs pull`"):
        read_weights(tmp_path)


def test_a_shard_that_is_a_pointer(sharded):
    (sharded / "model-1-of-2.safetensors").write_text(POINTER)
    with pytest.raises(VidsimError, match=r"model-1-of-2\.safetensors: only a pointer of git-lfs"):
        read_weights(sharded)


def test_a_link_that_leads_nowhere_is_told_and_not_passed_over(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder / "blobs" / "12ab")
    with pytest.raises(VidsimError, match=r"model\.safetensors -> .*/blobs/12ab: No such file"):
        read_weights(folder)
    (folder / "blobs").mkdir()
    write_safetensors(folder / "blobs" / "12ab")
    assert set(read_weights(folder)[1]) == set(TENSORS)


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(VidsimError, match=rf"{', '.join(ACCEPTED)}; the folder has no files"):
        read_weights(tmp_path)
    for number in range(25):
        (tmp_path / f"{number:02}.txt").touch()
    with pytest.raises(VidsimError, match=r"the folder has 00\.txt, .*19\.txt, \.\.\.$"):
        read_weights(tmp_path)
    with pytest.raises(VidsimError, match="nowhere: no such folder"):
        read_weights(tmp_path / "nowhere")
