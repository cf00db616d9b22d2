"""A folder of an LXMERT: a text encoder, and layers that read frames."""

import re

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.models.configs import UniterConfig, build_backbone
from vidsim.models.cross_config import CrossConfig
from vidsim.models.input_spec import InputSpec
from vidsim.pretrained.encoder_folder import EncoderFolder


def cross(folder, widths=6, **fields):
    config = CrossConfig(**({"cross_layers": 2, "bert_seq_length": 8} | fields))
    spec = InputSpec(folder.encoder_config(config), 3, {"frames": widths})
    return build_backbone(config, spec)


@pytest.mark.parametrize("prefix", ["bert.", "lxmert."])
def test_an_lxmert_folder(make_folder, lxmert, prefix):
    """Language and cross layers, all of them; frames' own where the model has them."""
    settings, named = lxmert
    tensors = {f"{prefix}{name}": value for name, value in named.items()}
    head = {"answer_head.logit_fc.0.bias"}
    path, _ = make_folder("lxmert", tensors | {next(iter(head)): np.ones(3)}, settings)
    folder = EncoderFolder(path)
    whole = set(named)
    beside = {name for name in whole if name.startswith(("encoder.r_layers", "encoder.visn_fc"))}

    plain = cross(folder)
    report = folder.load_into(plain)
    assert set(report.left_out) == beside | head
    assert (set(report.loaded), report.absent) == (whole - beside, ())
    assert "encoder.x_layers.0-1 (84)" in str(report)
    same = tensors[f"{prefix}encoder.x_layers.1.visn_inter.dense.weight"].T
    np.testing.assert_array_equal(plain.cross[1].own["vision"].expand.kernel.numpy(), same)

    full = cross(folder, relational_layers=1, visual_embedding="boxed")
    report = folder.load_into(full)
    assert (set(report.loaded), report.left_out) == (whole, tuple(head))
    wider = cross(folder, widths=7, relational_layers=1, visual_embedding="boxed")
    report = folder.load_into(wider)
    assert set(report.reshaped) == {name for name in beside if "visn_fc" in name}
    assert re.search("of another width +8 +encoder.visn_fc .8. .random at the start", str(report))
    assert folder.tokenizer().encode(["猫咪 Playing"], 32).values.tolist() == [2, 5, 6, 7, 8, 3]

    # another family takes its text encoder, and the cross family a BERT's
    config = UniterConfig(bert_seq_length=8)
    uniter = build_backbone(config, InputSpec(folder.encoder_config(config), 3, {"frames": 6}))
    report = folder.load_into(uniter)
    assert {name.rsplit(".", 1)[0] for name in report.left_out} >= {"encoder.visn_fc.box_fc"}
    text = ("embeddings.", "encoder.layer.")
    assert set(report.loaded) == {name for name in whole if name.startswith(text)}
    bert, tensors = make_folder("bert")
    report = EncoderFolder(bert).load_into(cross(EncoderFolder(bert)))
    assert set(report.loaded) == set(tensors)
    assert {name.split(".")[1] for name in report.absent} == {"x_layers", "dense"}


@pytest.mark.parametrize(
    ("lost", "fields", "said"),
    [
        ("x_layers.1.lang_inter.dense.bias", {}, "missing  encoder.x_layers.1.lang_inter.dense.b"),
        ("encoder.x_layers", {}, "no encoder.x_layers, which an LXMERT has"),
        ("", {"cross_layers": 3}, r"--cross-layers 3 .*: it has x_layers 2"),
        ("", {"relational_layers": 2}, r"--relational-layers 2 .*: it has r_layers 1"),
        ("", {"shared_cross_attention": False}, "--shared-cross-attention False .*both directions"),
    ],
)
def test_an_lxmert_folder_that_does_not_fit(make_folder, lxmert, lost, fields, said):
    settings, tensors = lxmert
    kept = {name: x for name, x in tensors.items() if not lost or lost not in name}
    path, _ = make_folder("lxmert", kept, settings)
    folder = EncoderFolder(path)
    with pytest.raises(VidsimError, match=said):
        folder.load_into(cross(folder, **fields))
