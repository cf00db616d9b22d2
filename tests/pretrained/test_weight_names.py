"""Which tensor is which: prefixes, old names, and what becomes of those that do not fit."""

from dataclasses import replace

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.models.configs import UniterConfig, build_backbone
from vidsim.models.input_spec import InputSpec
from vidsim.objectives.configs import MaskedLMConfig
from vidsim.pretrained.encoder_folder import EncoderFolder
from vidsim.pretrained.weight_names import plan_load

HEADS = (
    "cls.predictions.bias",
    "cls.predictions.transform.dense.weight",
    "embeddings.position_ids",
    "pooler.dense.weight",
)


@pytest.fixture
def loaded(make_folder):
    """(backbone, tensors) of a BERT folder."""
    path, tensors = make_folder("bert")
    config = UniterConfig(bert_seq_length=8)
    spec = InputSpec(EncoderFolder(path).encoder_config(config), 3, {"frames": 1536})
    return build_backbone(config, spec), tensors


def plan(stored, backbone):
    wanted = backbone.published_weights()
    report, values = plan_load(stored, wanted, "a/model.safetensors")
    return report, {variable.path: value for variable, value in values}


def test_every_weight_of_the_encoder_and_no_other(loaded):
    backbone, tensors = loaded
    report, values = plan(tensors, backbone)
    assert set(values) == {w.path for w in backbone.weights if "/text_encoder/" in w.path} - {
        w.path for w in backbone.weights if "seed" in w.path
    }
    assert set(report.loaded) == set(tensors)
    assert len(values) == len(tensors)


def test_matrices_are_transposed_and_tables_are_not(loaded):
    backbone, tensors = loaded
    _, values = plan(tensors, backbone)
    encoder = "uniter/text_encoder"
    wide = tensors["encoder.layer.1.intermediate.dense.weight"]
    np.testing.assert_array_equal(values[f"{encoder}/layer_1/expand/kernel"], wide.T)
    square = tensors["encoder.layer.0.attention.self.query.weight"]
    np.testing.assert_array_equal(values[f"{encoder}/layer_0/attention/query/kernel"], square.T)
    words = tensors["embeddings.word_embeddings.weight"]
    np.testing.assert_array_equal(values[f"{encoder}/words/embeddings"], words)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("bert.", ""),
        ("roformer.", ""),
        ("", ""),
        ("module.bert.", "module."),
        ("0.auto_model.", "0.auto_model."),
    ],
)
def test_prefixes_and_heads(loaded, inside, outside):
    """Masked-word heads stand beside the encoder; what the model has no place for is reported."""
    backbone, tensors = loaded
    expected = plan(tensors, backbone)[1]
    stored = {f"{inside}{name}": value for name, value in tensors.items()}
    for name in HEADS:
        prefix = outside if name.startswith("cls.") else inside
        stored[f"{prefix}{name}"] = np.zeros(1)
    report, values = plan(stored, backbone)
    assert report.left_out == HEADS
    for path, value in expected.items():
        np.testing.assert_array_equal(values[path], value)


def test_names_of_layer_norms_before_2019(loaded):
    backbone, tensors = loaded
    endings = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    stored = {}
    for name, value in tensors.items():
        for new, old in endings.items():
            name = name.replace(new, old)
        stored[name] = value
    assert sum("gamma" in name for name in stored) == 5
    assert set(plan(stored, backbone)[0].loaded) == set(tensors)


def test_every_misfit_is_listed(loaded):
    backbone, tensors = loaded
    stored = {f"bert.{name}": value for name, value in tensors.items()}
    del stored["bert.encoder.layer.1.output.dense.bias"]
    stored["bert.embeddings.position_embeddings.weight"] = np.zeros((8, 16), "float32")
    stored["bert.encoder.layer.2.output.dense.bias"] = np.zeros(16, "float32")
    with pytest.raises(VidsimError) as error:
        plan(stored, backbone)
    first, *lines = str(error.value).splitlines()
    assert first == "a/model.safetensors does not fit its config.json:"
    assert sorted(lines) == [
        "  missing  encoder.layer.1.output.dense.bias",
        "  shape    embeddings.position_embeddings.weight: file (8, 16), model (20, 16)",
        "  unknown  encoder.layer.2.output.dense.bias",
    ]


def test_half_precision_is_widened(loaded):
    backbone, tensors = loaded
    stored = {name: value.astype("float16") for name, value in tensors.items()}
    assert {value.dtype.name for value in plan(stored, backbone)[1].values()} == {"float32"}


def test_heads_are_filled_where_the_file_has_them_and_random_where_not(loaded):
    backbone, tensors = loaded
    config = MaskedLMConfig(mlm_weight=1.0)
    head = config.build(backbone).published_weights()
    rng = np.random.default_rng(2)
    kernel = "cls.predictions.transform.dense.weight"
    stored = {f"bert.{name}": value for name, value in tensors.items()}
    stored |= {kernel: rng.normal(size=(16, 16)).astype("float32"), "classifier.bias": np.zeros(2)}
    report, values = plan_load(stored, backbone.published_weights() | head, "a")
    assert {id(v): value for v, value in values}[id(head[kernel])].tolist() == stored[
        kernel
    ].T.tolist()
    assert report.left_out == ("classifier.bias",)
    assert report.absent == tuple(name for name in head if name != kernel)
    assert str(report).splitlines() == [
        "weights of a:",
        "  loaded                38  embeddings (5), encoder.layer.0-1 (32), "
        "cls.predictions.transform.dense.weight",
        "  left out on purpose    1  classifier.bias",
        "  not in the file        4  cls.predictions (4) (random at the start)",
    ]


def test_a_model_of_frames_takes_the_layers_and_leaves_the_words(loaded):
    backbone, tensors = loaded
    spec = replace(backbone.spec, text_fields=())
    frames_only = build_backbone(backbone.config, spec)
    report, _ = plan(tensors, frames_only)
    assert set(report.loaded) == {name for name in tensors if name.startswith("encoder.")}
    assert {name.partition(".")[0] for name in report.left_out} == {"embeddings"}
    del tensors["encoder.layer.0.output.dense.bias"]
    with pytest.raises(VidsimError, match=r"missing  encoder.layer.0.output.dense.bias"):
        plan(tensors, frames_only)


@pytest.mark.parametrize("number", [0, 2])
def test_one_encoder_in_a_file(loaded, number):
    backbone, tensors = loaded
    stored = {f"{p}{n}": v for p in ("a.", "b.")[:number] for n, v in tensors.items()}
    with pytest.raises(VidsimError, match=rf"a/model.safetensors: {number} tensors named"):
        plan(stored, backbone)
