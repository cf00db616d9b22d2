"""ALBEF.pth: a file of the published names, at tiny sizes, in the format of torch.save."""

import io
import struct
import zipfile

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.models.albef_config import AlbefConfig
from vidsim.models.configs import build_backbone
from vidsim.models.encoder_config import EncoderConfig
from vidsim.models.input_spec import InputSpec
from vidsim.pretrained.albef_names import load_albef

WIDTH, MIDDLE, WORDS, PLACES, SIZE, LAYERS, FUSION = 8, 12, 20, 10, 6, 4, 2


def dense(name, out, into):
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def norm(name):
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}


def text_encoder(prefix):
    """Names and shapes of the public code's BertForMaskedLM with cross-attention."""
    shapes = {
        "bert.embeddings.position_ids": (1, PLACES),
        "bert.embeddings.word_embeddings.weight": (WORDS, WIDTH),
        "bert.embeddings.position_embeddings.weight": (PLACES, WIDTH),
        "bert.embeddings.token_type_embeddings.weight": (2, WIDTH),
    } | norm("bert.embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"bert.encoder.layer.{number}"
        for kind in ("attention", *(["crossattention"] if number >= LAYERS - FUSION else [])):
            for part in ("query", "key", "value"):
                shapes |= dense(f"{layer}.{kind}.self.{part}", WIDTH, WIDTH)
            shapes |= dense(f"{layer}.{kind}.output.dense", WIDTH, WIDTH)
            shapes |= norm(f"{layer}.{kind}.output.LayerNorm")
        shapes |= dense(f"{layer}.intermediate.dense", MIDDLE, WIDTH)
        shapes |= dense(f"{layer}.output.dense", WIDTH, MIDDLE) | norm(f"{layer}.output.LayerNorm")
    shapes |= dense("cls.predictions.transform.dense", WIDTH, WIDTH)
    shapes |= norm("cls.predictions.transform.LayerNorm") | {"cls.predictions.bias": (WORDS,)}
    shapes |= dense("cls.predictions.decoder", WORDS, WIDTH)
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}


def published():
    shapes = {"temp": (), "image_queue": (SIZE, 4), "text_queue": (SIZE, 4), "queue_ptr": (1,)}
    for twin in ("", "_m"):
        shapes |= {f"visual_encoder{twin}.cls_token": (1, 1, WIDTH)}
        shapes |= dense(f"visual_encoder{twin}.blocks.0.attn.qkv", 3 * WIDTH, WIDTH)
        shapes |= dense(f"vision_proj{twin}", SIZE, WIDTH) | dense(f"text_proj{twin}", SIZE, WIDTH)
        shapes |= text_encoder(f"text_encoder{twin}")
    shapes |= dense("itm_head", 2, WIDTH)
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def torch_file(tensors):
    """As torch.save writes {"model": tensors}; each tensor has a storage of its own."""

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    def numbers(values):
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    program, file = b"\x80\x02}" + text("model") + b"}(", io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for place, (name, value) in enumerate(tensors.items()):
            strides = [step // 4 for step in value.strides]
            storage = text("storage") + b"ctorch\nFloatStorage\n" + text(str(place)) + text("cpu")
            storage += b"J" + struct.pack("<i", value.size)
            view = b"K\0" + numbers(value.shape) + numbers(strides)
            call = b"ctorch._utils\n_rebuild_tensor_v2\n((" + storage + b"tQ" + view + b"tR"
            program += text(name) + call
            archive.writestr(f"a/data/{place}", value.tobytes())
        archive.writestr("a/data.pkl", program + b"us.")
    return file.getvalue()


@pytest.fixture
def load(tmp_path):
    """`load(tensors, **fields)`: the backbone and the report."""

    def run(tensors, **fields):
        path = tmp_path / "ALBEF.pth"
        path.write_bytes(torch_file(tensors))
        encoder = EncoderConfig(
            vocab_size=WORDS, width=WIDTH, layers=LAYERS, heads=2, intermediate=MIDDLE,
            max_positions=PLACES,
        )  # fmt: skip
        shape = {"fusion_layers": FUSION, "hidden_size": SIZE, "frame_layers": 1}
        config = AlbefConfig(**(shape | fields))
        backbone = build_backbone(config, InputSpec(encoder, 0, {"frames": 5}))
        return backbone, load_albef(backbone, path)

    return run


def test_text_fusion_and_projections_are_filled(load):
    """Every tensor is in the table; the first text layer, the last fusion layer, a projection."""
    tensors = published()
    backbone, report = load(tensors)
    assert len(report.loaded) + len(report.left_out) == len(tensors)
    assert report.absent == ()
    text, layer = "text_encoder.bert.encoder.layer", backbone.fusion[-1]
    first = backbone.text_encoder.stack.layers[0].attention
    for variable, name in (
        (first.query_dense.kernel, f"{text}.0.attention.self.query"),
        (layer.cross_attention.value_dense.kernel, f"{text}.3.crossattention.self.value"),
        (layer.contract.kernel, f"{text}.3.output.dense"),
        (backbone.text_project.project.kernel, "text_proj"),
        (backbone.video_project.project.kernel, "vision_proj"),
    ):  # fmt: skip
        np.testing.assert_array_equal(variable.numpy(), tensors[f"{name}.weight"].T, name)
    gamma = tensors[f"{text}.2.crossattention.output.LayerNorm.weight"]
    np.testing.assert_array_equal(backbone.fusion[0].cross_norm.gamma.numpy(), gamma)
    table = str(report)
    for said in ("visual_encoder (3)", "visual_encoder_m (3)", "itm_head.weight", "queue_ptr"):
        assert said in table, table
    assert "encoder.layer.0-3 (" in table.splitlines()[1]


@pytest.mark.parametrize(
    ("change", "fields", "said"),
    [
        (lambda t: t.pop("text_proj.bias"), {}, "missing  text_proj.bias"),
        (
            lambda t: t.update({"text_encoder.bert.encoder.layer.9.x": np.zeros(1, "float32")}),
            {},
            r"unknown  encoder\.layer\.9\.x",
        ),
        (lambda t: None, {"projection": "mlp"}, r"shape    text_proj.weight: file"),
        (lambda t: None, {"fusion_from": "after"}, "unknown|missing"),
    ],
)
def test_anything_else_is_an_error(change, fields, said, load):
    tensors = published()
    change(tensors)
    with pytest.raises(VidsimError, match=said):
        load(tensors, **fields)
