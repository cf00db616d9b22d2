"""A text encoder whose learning rate is 0: no gradients are computed for it."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from vidsim.models.backbone import Backbone


@pytest.mark.slow
def test_the_same_weights_as_with_gradients(build_finetuning, tmp_path, monkeypatch):
    """Frozen or updated by nothing, all weights end alike, and the others have learned."""
    frozen = []
    freeze = Backbone.freeze_encoder

    def freeze_and_count(backbone):
        freeze(backbone)
        frozen.append(len(backbone.encoder_variables()))

    monkeypatch.setattr(Backbone, "freeze_encoder", freeze_and_count)
    build_finetuning(bert_lr=0.0)(tmp_path / "frozen")
    monkeypatch.setattr(Backbone, "freeze_encoder", lambda backbone: None)
    build_finetuning(bert_lr=0.0)(tmp_path / "updated")
    build_finetuning(bert_lr=0.01)(tmp_path / "learned")
    assert frozen == [0]  # none is left to be trained
    one, other, third = (
        load_file(str(next((tmp_path / name).glob("ckpt-*/model.safetensors"))))
        for name in ("frozen", "updated", "learned")
    )
    encoder = [name for name in one if "text_encoder" in name]
    assert 0 < len(encoder) < len(one)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=1e-6, err_msg=name)
    assert any(not np.array_equal(one[name], third[name]) for name in encoder)
