"""What an extractor is read from: the wrong name, the wrong folder, the wrong numbers."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from made_models import made, photograph, pictures, swin_shapes, write_folder
from vidsim.errors import VidsimError
from vidsim.extractors import applications, efficientnet_lite0, swin_tiny
from vidsim.extractors.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from vidsim.extractors.registry import EXTRACTORS, load_extractor

GOLDENS = Path(__file__).parent / "goldens"


@pytest.mark.parametrize(
    "named", ["", "efficientnet", "efficientnet_lite0:x", "vit", "vit:", "swin_tiny", ":x"]
)
def test_an_unknown_name_lists_what_there_is(named):
    with pytest.raises(VidsimError) as caught:
        load_extractor(named)
    assert all(kind.form in str(caught.value) for kind in EXTRACTORS.values())
    assert repr(named) in str(caught.value)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("vit:./nowhere", "no such folder"),
        ("onnx:nowhere", "model.onnx: no such file"),
        ("swin_tiny:nowhere.pth", "no such file"),
        ("applications:EfficientNetB33=x", "EfficientNetB3, "),
        ("applications:EfficientNetB3", "accepted is EfficientNetB3=FILE"),
        ("applications:EfficientNetB3=nowhere.h5", "no file of weights 'nowhere.h5'"),
    ],
)
def test_nothing_is_there(named, words):
    with pytest.raises(VidsimError, match=words):
        load_extractor(named)


# --- Hugging Face folders -------------------------------------------------------------------------


def changed(path, **changes):
    """config.json with other entries; dots lead into objects."""
    config = json.loads((path / "config.json").read_text())
    for key, value in changes.items():
        *parts, last = key.split("__")
        place = config
        for part in parts:
            place = place[part]
        place[last] = value
    (path / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "resnet"}, "model_type 'resnet'; supported are vit, deit"),
        ({"model_type": "vit"}, "0 tensors named"),
        ({"vision_config__hidden_size": 32}, r"has shape \(16, 3, 8, 8\); expected is \(32"),
        ({"vision_config__hidden_size": "16"}, "hidden_size is '16'"),
        ({"vision_config__num_attention_heads": 3}, "3 heads do not divide"),
        ({"vision_config__hidden_act": "mish"}, "hidden_act 'mish'"),
        ({"vision_config__layer_norm_eps": 2}, "layer_norm_eps is 2"),
        ({"vision_config__num_hidden_layers": 3}, "no tensor vision_model.encoder.layers.2"),
        ({"vision_config__image_size": 30}, "the patch must divide"),
        ({"vision_config__image_size": 32}, "reads 32 x 32"),
    ],
)
def test_a_config_that_does_not_fit(changes, words, tmp_path):
    path = write_folder("clip", tmp_path / "clip")
    changed(path, **changes)
    with pytest.raises(VidsimError, match=words):
        load_extractor(f"vit:{path}")


def test_a_digest_is_of_weights_architecture_and_preprocessing(tmp_path):
    """And of no place: a copy of a folder has the same."""
    path = write_folder("vit", tmp_path / "a")
    copy = write_folder("vit", tmp_path / "b")
    first = load_extractor(f"vit:{path}").digest
    assert load_extractor(f"vit:{copy}").digest == first
    changed(copy, layer_norm_eps=0.1)
    second = load_extractor(f"vit:{copy}").digest
    stated = json.loads((path / "preprocessor_config.json").read_text())
    (path / "preprocessor_config.json").write_text(json.dumps(stated | {"resample": 3}))
    third = load_extractor(f"vit:{path}").digest
    assert len({first, second, third}) == 3


# --- Files of weights -----------------------------------------------------------------------------


def test_another_file_than_the_pinned_one_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "weights.pth"
    file.write_bytes(b"others")
    monkeypatch.setattr(efficientnet_lite0, "packaged_path", lambda *_: file)
    with pytest.raises(VidsimError, match=hashlib.sha256(b"others").hexdigest()):
        load_extractor("efficientnet_lite0")


def test_without_the_package_of_weights(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, "_PACKAGE", "no_such_package")
    with pytest.raises(VidsimError, match=r"no-such-package.* sh setup.sh weights"):
        load_extractor("efficientnet_lite0")


def test_swin_of_another_size_or_with_nan(tmp_path, monkeypatch):
    file = tmp_path / "swin.pth"
    file.write_bytes(b"any")
    tensors = made(swin_shapes())
    monkeypatch.setattr(swin_tiny, "read_torch_file", lambda _: tensors)
    with pytest.raises(VidsimError, match=r"swin.pth: patch_embed.proj.weight has shape"):
        load_extractor(f"swin_tiny:{file}")
    wide = np.full((96, 3, 4, 4), np.nan, "float32")
    tensors["patch_embed.proj.weight"] = wide
    with pytest.raises(VidsimError, match="not finite"):
        load_extractor(f"swin_tiny:{file}")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
def test_keras_weights_with_and_without_their_classifier(tmp_path, monkeypatch):
    """A small model stands for its family: both files give the mean of the same last map.

    EfficientNet's file has deviations where the layer wants variances, which is made up for: its
    input is then (x / 255 - mean) / deviation.
    """
    import keras

    def build(include_top, weights, input_shape, pooling):
        pictures = keras.Input(input_shape)
        x = keras.layers.Normalization(name="normalization")(pictures / 255)
        maps = keras.layers.Conv2D(4, 2, name="maps")(x)
        mean = keras.layers.GlobalAveragePooling2D(name="mean")(maps)
        made_model = keras.layers.Dense(3, name="classes")(mean) if include_top else mean
        return keras.Model(pictures, made_model)

    monkeypatch.setattr(keras.applications, "EfficientNetB0", build)
    monkeypatch.setitem(applications.APPLICATIONS, "EfficientNetB0", (6, applications.INSIDE))
    whole = build(True, None, (6, 6, 3), "avg")
    norm = whole.get_layer("normalization")
    norm.set_weights([np.array(IMAGENET_MEAN), np.array(IMAGENET_STD), np.int64(0)])
    bare = keras.Model(whole.inputs, whole.get_layer("mean").output)
    whole.save_weights(tmp_path / "top.weights.h5")
    bare.save_weights(tmp_path / "no_top.weights.h5")
    batch = np.stack([application(photograph(40 + n, 50)) for n in range(2)])
    scaled = (batch / 255 - IMAGENET_MEAN) / IMAGENET_STD
    kernel, bias = whole.get_layer("maps").get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (2, 2), (1, 2))
    expected = np.einsum("bhwcij,ijco->bhwo", windows, kernel).mean((1, 2)) + bias
    for name in ("top", "no_top"):
        extractor = load_extractor(f"applications:EfficientNetB0={tmp_path / name}.weights.h5")
        assert (extractor.name, extractor.width) == ("applications:EfficientNetB0", 4)
        np.testing.assert_allclose(extractor.extract(batch), expected, atol=1e-4)
    (tmp_path / "other.h5").write_bytes(b"no HDF5")
    with pytest.raises(VidsimError, match="not the weights of EfficientNetB0"):
        load_extractor(f"applications:EfficientNetB0={tmp_path / 'other.h5'}")


def application(picture):
    return applications.application_preprocessing("EfficientNetB0")(picture)


# --- ONNX -----------------------------------------------------------------------------------------

STATED = {"height": 8, "width": 8, "resize": 10, "resample": "bilinear"}


@pytest.fixture
def onnx_folder(tmp_path):
    """A model that takes the mean of each colour; its vectors are worked out by numpy."""
    pytest.importorskip("onnxruntime")
    path = tmp_path / "mine"
    path.mkdir()
    shutil.copy(GOLDENS / "tiny.onnx", path / "model.onnx")
    (path / "preprocess.json").write_text(json.dumps(STATED))
    seen = np.stack([photograph(30, 40)[:, ::-1] // (n + 1) for n in range(3)])
    ready = np.stack([Preprocessing(8, 8, 10, "bilinear")(picture) for picture in seen])
    np.savez(path / "golden.npz", pictures=seen, vectors=ready.mean((1, 2)))
    return path


def test_an_onnx_folder(onnx_folder):
    extractor = load_extractor(f"onnx:{onnx_folder}")
    assert (extractor.name, extractor.width) == ("onnx:mine", 3)
    batch = pictures(8)
    np.testing.assert_allclose(extractor.extract(batch), batch.mean((1, 2)), atol=1e-6)
    assert extractor.extract(batch[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"mean": [0.1, 0.5, 0.9]}, r"the cosines .* accepted is 0.999 or more"),
        ({"bgr": True}, "the cosines"),
        ({"height": 9}, r"accepted is one input, \(N, 3, 9, 8\)"),
        ({"width": None}, "width is None"),
        ({"sice": 3}, "unknown is 'sice'"),
        ({"std": [1, 0, 1]}, "three numbers above 0"),
        ({"resample": "cubic"}, "one of nearest, lanczos"),
    ],
)
def test_an_onnx_folder_whose_vectors_are_not_ours(onnx_folder, stated, words):
    (onnx_folder / "preprocess.json").write_text(json.dumps(STATED | stated))
    with pytest.raises(VidsimError, match=words):
        load_extractor(f"onnx:{onnx_folder}")


def test_an_onnx_folder_with_damage(onnx_folder):
    two = np.zeros((2, 9, 9, 3), "uint8")
    np.savez(onnx_folder / "golden.npz", pictures=two, vectors=np.ones((2, 3)))
    with pytest.raises(VidsimError, match=r"golden.npz: pictures uint8 \(2, 9, 9, 3\)"):
        load_extractor(f"onnx:{onnx_folder}")
    (onnx_folder / "golden.npz").write_bytes(b"no zip")
    with pytest.raises(VidsimError, match=r"golden.npz: .*accepted are pictures"):
        load_extractor(f"onnx:{onnx_folder}")
    np.savez(onnx_folder / "golden.npz", pictures=[two[0]] * 3, vectors=np.ones((3, 3)))
    (onnx_folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(VidsimError, match=r"model.onnx: ONNX Runtime cannot read it"):
        load_extractor(f"onnx:{onnx_folder}")
