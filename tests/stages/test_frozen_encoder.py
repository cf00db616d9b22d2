"""A text encoder whose learning rate is 0: no gradients are computed for it."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from vidsim import schema
from vidsim.models.backbone import Backbone


def without_dropout(backbone):
    """What freezing does to the numbers, by hand."""
    encoder = backbone.text_encoder
    encoder.dropout.rate = 0.0
    for layer in encoder.stack.layers:
        layer.dropout.rate = layer.attention.dropout.rate = 0.0


def test_it_gives_in_training_what_it_gives_without(build_smallest, make_inputs):
    """Of three families; what comes after the encoder drops as before."""
    inputs = make_inputs((5, 3, 4), (0, 0, 0))
    ids, mask = inputs[schema.TOKEN_IDS], inputs[schema.TOKEN_MASK].astype(bool)
    for family in ("uniter", "mix_nextvlad", "albef"):
        backbone = build_smallest(family, encoder_dropout=0.5)
        encoder = backbone.text_encoder
        plain = np.asarray(encoder(ids, mask))
        assert not np.array_equal(encoder(ids, mask, training=True), plain)
        backbone.freeze_encoder()
        np.testing.assert_array_equal(encoder(ids, mask, training=True), plain)
        assert not encoder.trainable_variables
        assert getattr(backbone, "text_is_fixed", True)


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
    monkeypatch.setattr(Backbone, "freeze_encoder", without_dropout)
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
