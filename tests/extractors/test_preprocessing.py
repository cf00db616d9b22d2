"""Pictures become what the references make of them, to the grey level."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from made_models import photograph
from vidsim.errors import VidsimError
from vidsim.extractors.applications import APPLICATIONS, application_preprocessing
from vidsim.extractors.image_processor import read_image_processor
from vidsim.extractors.preprocessing import IMAGENET_MEAN, IMAGENET_STD, RESAMPLE, Preprocessing

LITE = Preprocessing(224, 224, 256)
HALVES = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
PROCESSORS = {  # model_type -> the class in transformers and what its published files say
    "vit": ("ViTImageProcessorPil", {"size": {"height": 32, "width": 32}, "resample": 2}),
    "deit": (
        "DeiTImageProcessorPil",
        {
            "size": {"height": 40, "width": 40},
            "crop_size": {"height": 32, "width": 32},
            "do_center_crop": True,
            "resample": 3,
        },
    ),
    "clip": (
        "CLIPImageProcessorPil",
        {"size": 36, "crop_size": 32, "do_center_crop": True, "resample": 3},
    ),
    "siglip": ("SiglipImageProcessorPil", {"size": {"height": 32, "width": 32}, "resample": 3}),
}
SHAPES = [(90, 130), (131, 90), (20, 33), (256, 256)]
CONTINUOUS = ("lanczos", "bilinear", "bicubic", "hamming")  # the others must be equal
WIDE = [(360, 640), (480, 854), (1080, 1920)]  # of their columns not all are computed
TALL = [(640, 360), (1000, 400)]  # of the second, Pillow resizes rows first since its version 13


@pytest.mark.parametrize("shape", [*SHAPES, (240, 320), (640, 480), (405, 719), *WIDE, *TALL])
def test_the_shorter_side_and_the_middle(shape):
    """As torchvision's Resize(256) and CenterCrop(224) of a Pillow picture.

    Pillow has the edges of a part in single precision, by which few values are rounded otherwise.
    """
    picture = photograph(*shape)
    height, width = (256 * side // min(shape) for side in shape)
    whole = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
    top, left = (height - 224) // 2, (width - 224) // 2
    kept = whole[top : top + 224, left : left + 224]
    resized = LITE.resized(picture)
    differs = abs(resized.astype(int) - kept)
    assert differs.max() <= 1 and differs.mean() <= 4e-4
    expected = (resized / 255 - IMAGENET_MEAN) / IMAGENET_STD
    found = LITE(picture)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("resample", RESAMPLE)
@pytest.mark.parametrize("resize", [None, 40, (40, 56)])
def test_every_filter_is_that_of_the_whole_picture(resample, resize):
    """Also where proportions are lost, and Pillow begins with the rows."""
    made = Preprocessing(32, 32, resize, resample)
    for shape in ((90, 160), (160, 90), (64, 36), (40, 150), (150, 40), (50, 50), (96, 61)):
        picture = photograph(*shape)
        size = (resize * np.array(shape) // min(shape)) if resize == 40 else resize or (32, 32)
        height, width = map(int, size)
        whole = Image.fromarray(picture).resize((width, height), RESAMPLE[resample])
        top, left = (height - 32) // 2, (width - 32) // 2
        kept = np.asarray(whole)[top : top + 32, left : left + 32]
        differs = abs(made.resized(picture).astype(int) - kept)
        assert differs.max() <= (1 if resample in CONTINUOUS else 0), shape
        assert differs.mean() <= 0.01, shape


@pytest.mark.parametrize("kind", PROCESSORS)
def test_as_transformers_does_it(kind, tmp_path):
    """Within one grey level; also of pictures smaller than what is cut out of them."""
    from vidsim.transformers_start import import_transformers

    import_transformers()
    name, stated = PROCESSORS[kind]
    module = __import__(f"transformers.models.{kind}.image_processing_pil_{kind}", fromlist=[name])
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated | HALVES))
    theirs = getattr(module, name).from_pretrained(tmp_path)
    ours = read_image_processor(tmp_path, kind, 32)
    for shape in SHAPES:
        picture = photograph(*shape)
        expected = theirs(images=[Image.fromarray(picture)], return_tensors="np")["pixel_values"]
        levels = (ours(picture) - expected[0].transpose(1, 2, 0)) * 127.5
        assert abs(levels).max() <= 1.01


def test_black_is_added_around_a_picture_that_is_too_small():
    """3 x 5 resized to a shorter side of 4 is 4 x 6; in 6 x 9 one row and one column go before."""
    made = Preprocessing(6, 9, 4).resized(np.full((3, 5, 3), 200, "uint8"))
    assert (made[1:5, 1:7] == 200).all() and made.sum() == 24 * 3 * 200


@pytest.mark.parametrize("shape", [(2, 60000), (60000, 2), (1, 1)])
def test_a_thin_picture_takes_little_memory(shape):
    """Resized whole it would be 256 x 7,680,000 pixels. Of its middle hardly anything is lost."""
    picture = np.full((*shape, 3), 9, "uint8")
    picture[shape[0] // 2 :, shape[1] // 2 :] = 77
    made = LITE.resized(picture)
    assert made.shape == (224, 224, 3) and made.max() >= 77
    if shape != (1, 1):
        assert made.min() <= 9


def test_colours_as_each_family_of_keras_has_them():
    """By its own preprocess_input, on the same pixels."""
    import keras

    picture = photograph()
    for name, module in {
        "EfficientNetB3": "efficientnet",
        "VGG16": "vgg16",
        "ResNet50": "resnet",
        "ResNet50V2": "resnet_v2",
        "DenseNet121": "densenet",
        "MobileNetV2": "mobilenet_v2",
        "MobileNetV3Small": "mobilenet_v3",
        "Xception": "xception",
        "ConvNeXtTiny": "convnext",
    }.items():
        ours = application_preprocessing(name)
        their = getattr(keras.applications, module).preprocess_input
        expected = their(ours.resized(picture).astype("float32"))
        np.testing.assert_allclose(ours(picture), expected, atol=1e-4, err_msg=name)
    assert all(hasattr(keras.applications, name) for name in APPLICATIONS)


def test_another_process_needs_neither_keras_nor_tensorflow():
    program = (
        "import pickle, sys, numpy as np; made = pickle.load(sys.stdin.buffer)\n"
        "shape = made(np.zeros((9, 9, 3), 'uint8')).shape\n"
        "print(shape, sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(LITE),
        capture_output=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.decode().strip() == "(224, 224, 3) []", done.stderr


def test_what_is_no_picture():
    for wrong in (np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), "uint8")):
        with pytest.raises(VidsimError, match=r"a picture of shape .* accepted are"):
            LITE(wrong)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"size": {"shortest_edge": 32}, "resample": 3}, "pictures of one size"),
        ({"size": {"longest_edge": 32}, "resample": 3}, "a height and a width"),
        ({"size": {"height": 40, "width": 40}, "resample": 3}, r"makes pictures of \(40, 40\)"),
        ({"size": {"height": 32, "width": 32}, "resample": 7}, "resample is 7"),
        ({"size": {"height": 32, "width": 32}, "resample": 3, "image_std": [1, 0, 1]}, "image_std"),
        ({"size": {"height": 32, "width": 32}, "resample": 3, "image_mean": 0.5}, "image_mean"),
        ({"size": {"height": 32, "width": 32}, "do_resize": "yes"}, "do_resize is 'yes'"),
        ({"size": 32, "resample": 3, "rescale_factor": 0}, "rescale_factor is 0"),
        (None, "no such file"),
    ],
)
def test_a_file_that_says_what_is_not_supported(stated, words, tmp_path):
    if stated is not None:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(HALVES | stated))
    with pytest.raises(VidsimError, match=words):
        read_image_processor(tmp_path, "vit", 32)


def test_transformers_5_writes_another_file(tmp_path):
    stated = {"image_processor": HALVES | {"size": 32, "resample": 3, "do_normalize": False}}
    (tmp_path / "processor_config.json").write_text(json.dumps(stated))
    made = read_image_processor(tmp_path, "vit", 32)
    assert made == Preprocessing(32, 32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
