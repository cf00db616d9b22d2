"""The models of keras.applications with a local file of weights: applications:NAME=FILE.

The file is one of Keras' own, with the classifier (efficientnetb3.h5) or without it
(efficientnetb3_notop.h5), or of model.save_weights. The numbers of a frame are the mean of the
last map. The preprocessing is the family's own rule for colours; for size, the shorter side is
resized to 32 pixels more than the model's, and its middle is cut out: EfficientNet's evaluation.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from vidsim.errors import VidsimError
from vidsim.extractors.extractor import ModelExtractor
from vidsim.extractors.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from vidsim.files import file_digest

_BORDER = 32  # pixels


@dataclass(frozen=True)
class Colours:
    """A family's rule: (value x scale - mean) / std."""

    scale: float
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False


INSIDE = Colours(1.0)
"""The model scales the colours itself."""
SYMMETRIC = Colours(1 / 127.5, (1.0, 1.0, 1.0))
CAFFE = Colours(1.0, (103.939, 116.779, 123.68), bgr=True)
TORCH = Colours(1 / 255, IMAGENET_MEAN, IMAGENET_STD)

_EFFICIENT = (224, 240, 260, 300, 380, 456, 528, 600)
APPLICATIONS = {
    **{f"EfficientNetB{n}": (size, INSIDE) for n, size in enumerate(_EFFICIENT)},
    **{f"EfficientNetV2B{n}": (size, INSIDE) for n, size in enumerate(_EFFICIENT[:4])},
    "EfficientNetV2S": (384, INSIDE),
    "EfficientNetV2M": (480, INSIDE),
    "EfficientNetV2L": (480, INSIDE),
    **{f"ConvNeXt{size}": (224, INSIDE) for size in ("Tiny", "Small", "Base", "Large", "XLarge")},
    "MobileNet": (224, SYMMETRIC),
    "MobileNetV2": (224, SYMMETRIC),
    "MobileNetV3Small": (224, INSIDE),
    "MobileNetV3Large": (224, INSIDE),
    "NASNetMobile": (224, SYMMETRIC),
    "NASNetLarge": (331, SYMMETRIC),
    "InceptionV3": (299, SYMMETRIC),
    "InceptionResNetV2": (299, SYMMETRIC),
    "Xception": (299, SYMMETRIC),
    **{f"DenseNet{layers}": (224, TORCH) for layers in (121, 169, 201)},
    **{f"ResNet{layers}": (224, CAFFE) for layers in (50, 101, 152)},
    **{f"ResNet{layers}V2": (224, SYMMETRIC) for layers in (50, 101, 152)},
    "VGG16": (224, CAFFE),
    "VGG19": (224, CAFFE),
}
"""Pixels of a side, and rule for colours, by the name in keras.applications."""


def load_application(named: str) -> ModelExtractor:
    """The extractor "applications:NAME=FILE".

    Args:
        named: NAME=FILE, such as EfficientNetB3=efficientnetb3_notop.h5.

    Raises:
        VidsimError: an unknown name, no such file, or one with another model's weights.
    """
    name, _, file = named.partition("=")
    if name not in APPLICATIONS:
        near = difflib.get_close_matches(name, APPLICATIONS, n=3) or list(APPLICATIONS)
        raise VidsimError(
            f"--extractor applications:{named}: no model {name!r} is known; accepted is NAME=FILE, "
            f"NAME for instance {', '.join(near)}"
        )
    path = Path(file).expanduser()
    if not file or not path.is_file():
        raise VidsimError(
            f"--extractor applications:{named}: no file of weights {file!r}; accepted is "
            f"{name}=FILE with Keras' weights of {name} (.h5 or .keras weights)"
        )
    model = _with_weights(name, path)
    return ModelExtractor.of_model(
        f"applications:{name}", file_digest(path), application_preprocessing(name), model
    )


def application_preprocessing(name: str) -> Preprocessing:
    """Size and colours of a model of keras.applications."""
    size, colours = APPLICATIONS[name]
    return Preprocessing(
        height=size,
        width=size,
        resize=size + _BORDER,
        scale=colours.scale,
        mean=colours.mean,
        std=colours.std,
        bgr=colours.bgr,
    )


def _with_weights(name: str, path: Path) -> keras.Model:
    """The model up to the mean of its last map; the file may have a classifier behind it."""
    size, _ = APPLICATIONS[name]
    build, shape = getattr(keras.applications, name), (size, size, 3)
    reasons = []
    for top in (False, True):
        model = build(include_top=top, weights=None, input_shape=shape, pooling="avg")
        try:
            model.load_weights(str(path))
            break
        except Exception as error:  # Keras' and h5py's, in a dozen kinds
            reasons.append(f"{error!s:.200}")
    else:
        raise VidsimError(
            f"{path}: these are not the weights of {name}, neither without its classifier "
            f"({reasons[0]}) nor with it ({reasons[1]})"
        )
    if top:
        whole, model = (
            model,
            build(include_top=False, weights=None, input_shape=shape, pooling="avg"),
        )
        filled = [layer for layer in whole.layers if layer.weights]
        for layer in (layer for layer in model.layers if layer.weights):
            layer.set_weights(filled.pop(0).get_weights())  # the classifier's are left over
    if name.startswith("EfficientNetB"):
        _mend_normalization(model)
    return model


def _mend_normalization(model: keras.Model) -> None:
    """Makes EfficientNet scale colours as its ImageNet weights expect.

    Their file has standard deviations where the layer expects variances. Keras makes up for it by
    one more layer, but only if it fetched the file itself.
    """
    layer = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    mean, variance, *count = layer.get_weights()
    if np.allclose(variance, IMAGENET_STD, atol=1e-3):
        layer.set_weights([mean, np.square(variance), *count])
        layer.finalize_state()
