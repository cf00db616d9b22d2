"""transformers' TensorFlow files: names and orientation of PyTorch, and files that point elsewhere.

The names are those that TFBertForPreTraining of transformers 4.46 wrote.
"""

import h5py
import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.pretrained.hdf5_file import read_hdf5_file
from vidsim.pretrained.hdf5_tensors import pytorch_name

BERT = "tf_bert_for_pre_training"
LAYERS = ["bert", "nsp___cls", "mlm___cls"]
WORDS = f"{BERT}/bert/embeddings/word_embeddings/weight:0"
NAMES = {  # in the file -> in PyTorch
    WORDS: "bert.embeddings.word_embeddings.weight",
    f"{BERT}/bert/embeddings/token_type_embeddings/embeddings:0": (
        "bert.embeddings.token_type_embeddings.weight"
    ),
    f"{BERT}/bert/embeddings/LayerNorm/gamma:0": "bert.embeddings.LayerNorm.weight",
    f"{BERT}/bert/embeddings/LayerNorm/beta:0": "bert.embeddings.LayerNorm.bias",
    f"{BERT}/bert/encoder/layer_._11/attention/self/query/kernel:0": (
        "bert.encoder.layer.11.attention.self.query.weight"
    ),
    f"{BERT}/bert/encoder/layer_._0/attention/output/LayerNorm/gamma:0": (
        "bert.encoder.layer.0.attention.output.LayerNorm.weight"
    ),
    f"{BERT}/bert/pooler/dense/bias:0": "bert.pooler.dense.bias",
    f"{BERT}/mlm___cls/predictions/bias:0": "cls.predictions.bias",
    f"{BERT}/mlm___cls/predictions/transform/dense/kernel:0": (
        "cls.predictions.transform.dense.weight"
    ),
    f"{BERT}/nsp___cls/seq_relationship/kernel:0": "cls.seq_relationship.weight",
}


@pytest.mark.parametrize(("name", "published"), NAMES.items())
@pytest.mark.parametrize("model", [BERT, f"{BERT}_1", "bert", None])
def test_names(name, published, model):
    """Whatever the model was called, and also where the file leaves that out."""
    inside = name.removeprefix(f"{BERT}/")
    assert pytorch_name(f"{model}/{inside}" if model else inside, LAYERS) == published


def test_names_of_roformer():
    name = "tf_ro_former_model/roformer/encoder/embed_positions/embeddings:0"
    assert pytorch_name(name, ["roformer"]) == "roformer.encoder.embed_positions.weight"
    name = "tf_ro_former_for_masked_lm/roformer/embeddings_project/kernel:0"
    assert pytorch_name(name, ["roformer", "mlm___cls"]) == "roformer.embeddings_project.weight"


# --- Whole files ----------------------------------------------------------------------------------


def layer_of(name: str) -> str:
    return name.split("/")[1]


@pytest.fixture
def values():
    """A value of its own for every name: kernels (3, 2), the rest (4,)."""
    rng = np.random.default_rng(0)
    shapes = {name: (3, 2) if "kernel" in name else (4,) for name in NAMES}
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


@pytest.fixture
def path(tmp_path, values):
    """A file as keras writes it, the tied table a second time under the head that uses it."""
    path = tmp_path / "tf_model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [*LAYERS, "dropout_37"]
        for layer in LAYERS:
            names = [name for name in NAMES if layer_of(name) == layer]
            names += [WORDS] * (layer == "mlm___cls")
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            for name in names:
                group.create_dataset(name, data=values[name])
        file.create_group("dropout_37").attrs["weight_names"] = []
    return path


def test_tensors_as_pytorch_has_them(path, values):
    found = read_hdf5_file(path)
    assert set(found) == set(NAMES.values())
    for name, published in NAMES.items():
        expected = values[name].T if "kernel" in name else values[name]
        assert found[published].dtype == np.dtype("float32")
        assert found[published].flags.c_contiguous
        np.testing.assert_array_equal(found[published], expected, published)


def test_attributes_cut_in_parts_scalars_and_other_numbers(path, values):
    """keras cuts a list of names that is too long for HDF5; old ones are text of variable size."""
    with h5py.File(path, "r+") as file:
        names = list(file["bert"].attrs["weight_names"])
        del file["bert"].attrs["weight_names"]
        half = len(names) // 2
        file["bert"].attrs["weight_names0"] = [name.decode() for name in names[:half]]
        file["bert"].attrs["weight_names1"] = names[half:]
        group = file["nsp___cls"]
        group.attrs["weight_names"] = ["m/nsp___cls/count:0", "m/nsp___cls/big:0"]
        group["m/nsp___cls/count:0"] = np.int64(7)
        group["m/nsp___cls/big:0"] = np.array([1.5, 2], ">f8")
    found = read_hdf5_file(path)
    assert set(NAMES.values()) - set(found) == {"cls.seq_relationship.weight"}
    assert found["cls.count"].shape == () and found["cls.count"] == 7
    assert found["cls.big"].dtype.isnative and found["cls.big"].tolist() == [1.5, 2]


# --- Files that do not do -------------------------------------------------------------------------


def without_layers(file):
    del file.attrs["layer_names"]


def without_names(file):
    del file["bert"].attrs["weight_names"]


def numbers_for_names(file):
    file["bert"].attrs["weight_names"] = [1, 2]


def layers_in_vain(file):
    file.attrs["layer_names"] = ["dropout_37"]


def a_layer_too_many(file):
    file.attrs["layer_names"] = [*LAYERS, "classifier"]


def a_dataset_less(file):
    del file["bert"][WORDS]


def tied_and_different(file):
    file["mlm___cls"][WORDS][0] = 99


def soft_link(file):
    del file["bert"][WORDS]
    file["bert"][WORDS] = h5py.SoftLink(f"/mlm___cls/{WORDS}")


def external_link(file):
    del file["bert"][BERT]
    file["bert"][BERT] = h5py.ExternalLink("other.h5", f"/bert/{BERT}")


def group_for_dataset(file):
    del file["bert"][WORDS]
    file["bert"].create_group(WORDS)


def dataset_for_group(file):
    file.attrs["layer_names"] = [WORDS]
    file[WORDS] = 1.0


def replaced(file, **how):
    del file["bert"][WORDS]
    return file["bert"].create_dataset(WORDS, **how)


def virtual(file):
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("other.h5", WORDS, (4,))
    del file["bert"][WORDS]
    file["bert"].create_virtual_dataset(WORDS, layout)


def stored_outside(file):
    with open("outside.raw", "wb") as raw:
        raw.write(b"\1" * 16)
    replaced(file, shape=(4,), dtype="float32", external=[("outside.raw", 0, 16)])


def compressed(file):
    replaced(file, data=np.zeros(1 << 20, "float32"), compression="gzip")


def never_written(file):
    replaced(file, shape=(1 << 40,), dtype="float32")


def one_under_many_names(file):
    names = [f"m/bert/{number}:0" for number in range(3)]
    file["bert"].attrs["weight_names"] = names
    file["bert"][names[0]] = np.zeros(1 << 16, "float32")
    for name in names[1:]:
        file["bert"][name] = file["bert"][names[0]]


def text(file):
    replaced(file, data=b"word")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_layers, "/ has no attribute layer_names; accepted is the layout of transformers"),
        (without_names, "/bert has no attribute weight_names"),
        (numbers_for_names, "weight_names of /bert has int64 values"),
        (layers_in_vain, "no layer of it has weights"),
        (a_layer_too_many, "/ lists 'classifier', which is not there"),
        (a_dataset_less, r"/bert lists 'tf_bert.*word_embeddings/weight:0', which is not there"),
        (tied_and_different, r"mlm___cls/.*word_embeddings\.weight a second time, and different"),
        (soft_link, r"word_embeddings/weight:0 is a link"),
        (external_link, f"/bert/{BERT} is a link"),
        (group_for_dataset, "is a Group, not a Dataset"),
        (dataset_for_group, "is a Dataset, not a Group"),
        (virtual, "kept in another file"),
        (stored_outside, "kept in another file"),
        (compressed, "is compressed"),
        (never_written, "weight:0 has 4398046511104 bytes; in the file are 0"),
        (one_under_many_names, "m/bert/1:0: with it the file's bytes are named too often"),
        (text, "values of type object; accepted are numbers"),
    ],
)
def test_files_of_another_layout(path, change, message, monkeypatch):
    monkeypatch.chdir(path.parent)
    other = path.with_name("other.h5")
    other.write_bytes(path.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(VidsimError, match=rf"tf_model\.h5: .*{message}"):
        read_hdf5_file(path)
    assert read_hdf5_file(other)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"\x89HDF\r\n\x1a\n" + b"\0" * 600])
def test_files_that_are_not_hdf5(tmp_path, content):
    (tmp_path / "tf_model.h5").write_bytes(content)
    with pytest.raises(VidsimError, match=r"tf_model\.h5: not a whole HDF5 file"):
        read_hdf5_file(tmp_path / "tf_model.h5")


@pytest.mark.slow
def test_cut_short_anywhere(path):
    """Flipped bytes are not tried: HDF5's library may end the process over them."""
    content = path.read_bytes()
    assert len(read_hdf5_file(path)) == len(NAMES)
    for length in [*range(0, len(content) - 1, 997), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(VidsimError, match=r"tf_model\.h5: not a whole HDF5 file"):
            read_hdf5_file(path)
