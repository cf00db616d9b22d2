"""The text encoder beside transformers' PyTorch classes themselves, at real widths and lengths.

    sh setup.sh parity, then sh test.sh tests/pretrained/test_torch_parity.py

What these write, in every format that they or their TensorFlow sisters wrote, is read by us. The
small goldens of test_parity.py say the same without PyTorch.
"""

import re

import h5py
import numpy as np
import pytest
from keras import ops

from vidsim.models.configs import UniterConfig, build_backbone
from vidsim.models.cross_config import CrossConfig
from vidsim.models.input_spec import InputSpec
from vidsim.pretrained.encoder_folder import EncoderFolder

torch = pytest.importorskip("torch", reason="install torch (extra parity) to compare with it")
transformers = pytest.importorskip("transformers")

LENGTHS = (48, 2, 17, 31, 1)
WORDS = 997
SHAPES = {
    "bert_base_wide": ("Bert", {"hidden_size": 768, "num_attention_heads": 12}, 2),
    "bert_minilm": ("Bert", {"hidden_size": 384, "num_attention_heads": 12}, 6),
    "bert_relu": ("Bert", {"hidden_size": 128, "num_attention_heads": 2, "hidden_act": "relu"}, 3),
    "roformer_base_wide": ("RoFormer", {"hidden_size": 768, "num_attention_heads": 12}, 2),
    "roformer_narrow": (
        "RoFormer",
        {
            "hidden_size": 256,
            "num_attention_heads": 4,
            "embedding_size": 96,
            "rotary_value": True,
            "hidden_act": "gelu_new",
        },
        4,
    ),
}
FORMATS = ("safetensors", "sharded safetensors", "zip", "legacy", "sharded zip", "hdf5")


@pytest.fixture(scope="module")
def inputs():
    """Token ids and mask (B, S), padded to the longest of LENGTHS."""
    rng = np.random.default_rng(0)
    mask = np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]
    return rng.integers(5, WORDS, mask.shape) * mask, mask


@pytest.fixture(scope="module", params=SHAPES)
def model(request):
    """A masked-word model with random weights, as a published folder holds one."""
    kind, shape, layers = SHAPES[request.param]
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=WORDS,
        num_hidden_layers=layers,
        intermediate_size=2 * shape["hidden_size"],
        max_position_embeddings=64,
        initializer_range=0.06,
        attn_implementation="eager",
        **shape,
    )
    model = getattr(transformers, f"{kind}ForMaskedLM")(config).eval()
    with torch.no_grad():  # those that start at 0 or 1 would hide a mix-up
        for name, parameter in model.named_parameters():
            if "bias" in name or "LayerNorm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture(scope="module")
def expected(model, inputs):
    """Hidden states, the numbers that the loss weighs them with, gradients by published name."""
    ids, mask = (torch.tensor(value) for value in inputs)
    hidden = model.base_model(ids, attention_mask=mask.long()).last_hidden_state
    weights = torch.randn(hidden.shape) * mask[:, :, None]
    model.zero_grad()
    (hidden * weights).mean().backward()
    gradients = {
        name: parameter.grad.numpy()
        for name, parameter in model.base_model.named_parameters()
        if parameter.grad is not None
    }
    return hidden.detach().numpy(), weights.numpy() / hidden.numel(), gradients


def save(model, path, kind):
    """Writes config.json, and the weights in one format."""
    shard = "2MB" if "sharded" in kind else "1GB"
    model.save_pretrained(path, max_shard_size=shard)
    assert ("sharded" in kind) == (len(list(path.glob("*.safetensors"))) > 1)
    if "safetensors" in kind:
        return
    for file in path.glob("model*.safetensors"):
        file.unlink()
    index = path / "model.safetensors.index.json"
    if index.exists():
        text = index.read_text().replace("model-", "pytorch_model-")
        (path / "pytorch_model.bin.index.json").write_text(text.replace(".safetensors", ".bin"))
        index.unlink()
        places = transformers.utils.hub.json.loads(text.replace(".safetensors", ".bin"))
        state = model.state_dict()
        for shard in set(places["weight_map"].values()):
            names = [name for name, place in places["weight_map"].items() if place == shard]
            torch.save({name: state[name] for name in names}, path / shard)
    elif kind == "hdf5":
        write_hdf5(model, path / "tf_model.h5")
    else:
        name = path / "pytorch_model.bin"
        torch.save(model.state_dict(), name, _use_new_zipfile_serialization=kind == "zip")


def write_hdf5(model, path):
    """Names and orientation of TFBertForMaskedLM and TFRoFormerForMaskedLM."""
    with h5py.File(path, "w") as file:
        layers = {model.base_model_prefix: model.base_model, "mlm___cls": model.cls}
        file.attrs["layer_names"] = list(layers)
        for layer, module in layers.items():
            group, names = file.create_group(layer), []
            for name, parameter in module.named_parameters():
                *parents, end = re.sub(r"layer\.(\d)", r"layer_*_\1", name).split(".")
                value = parameter.detach().numpy()
                if end == "weight" and parents[-1] == "LayerNorm":
                    end = "gamma"
                elif end == "bias" and parents[-1] == "LayerNorm":
                    end = "beta"
                elif end == "weight" and parents[-1] == "word_embeddings":
                    end = "weight"
                elif end == "weight" and "embeddings" in parents[-1] and len(parents) < 3:
                    end = "kernel" if parents[-1] == "embeddings_project" else "embeddings"
                elif end == "weight":
                    end = "kernel"
                words = ["tf_model", layer, *parents, f"{end}:0"]
                names.append("/".join(words).replace("*", "."))
                group.create_dataset(names[-1], data=value.T if end == "kernel" else value)
            group.attrs["weight_names"] = [name.encode() for name in names]


def load(path):
    """A Uniter with the folder's encoder."""
    folder = EncoderFolder(path)
    config = UniterConfig(positions=folder.positions, bert_seq_length=48, encoder_dropout=0.0)
    backbone = build_backbone(config, InputSpec(folder.encoder_config(config), 1, {"frames": 1536}))
    folder.load_into(backbone)
    return backbone


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format(model, expected, inputs, tmp_path, kind):
    save(model, tmp_path, kind)
    hidden = ops.convert_to_numpy(load(tmp_path).text_encoder(*inputs))
    np.testing.assert_allclose(hidden[inputs[1]], expected[0][inputs[1]], atol=1e-5)


def test_gradients(model, expected, inputs, tmp_path, differentiate):
    """Relative to the largest of each tensor, for their sizes differ by orders of magnitude.

    The keys' biases have no gradient but rounding errors: a thousandth of the model's largest is
    the least that is divided by.
    """
    save(model, tmp_path, "safetensors")
    backbone = load(tmp_path)
    variables = backbone.published_weights()
    _, gradients = differentiate(lambda: backbone.text_encoder(*inputs), variables, expected[1])
    assert set(gradients) == set(expected[2]) - {"pooler.dense.weight", "pooler.dense.bias"}
    least = 1e-3 * max(abs(gradient).max() for gradient in expected[2].values())
    for name, gradient in gradients.items():
        plain = gradient.T if variables[name].path.endswith("/kernel") else gradient
        scale = max(abs(expected[2][name]).max(), least)
        np.testing.assert_allclose(plain / scale, expected[2][name] / scale, atol=1e-4)


def saved_lxmert(folder):
    torch.manual_seed(0)
    config = transformers.LxmertConfig(
        vocab_size=WORDS,
        hidden_size=96,
        num_attention_heads=6,
        intermediate_size=192,
        l_layers=3,
        x_layers=2,
        r_layers=2,
        visual_feat_dim=40,
        max_position_embeddings=64,
        initializer_range=0.06,
    )
    model = transformers.LxmertModel(config).eval()
    model.save_pretrained(folder)
    return model


def test_lxmert_as_transformers_saves_it(tmp_path):
    """LxmertModel beside ours, by a folder that it wrote; each frame is the whole picture."""
    model = saved_lxmert(tmp_path)
    rng = np.random.default_rng(0)
    mask = np.arange(48) < np.array(LENGTHS)[:, None]
    ids = rng.integers(5, WORDS, mask.shape) * mask
    frame_mask = np.arange(12) < np.array([[12], [1], [5], [8], [3]])
    frames = rng.normal(size=(*frame_mask.shape, 40)).astype("float32")
    boxes = torch.tensor([0.0, 0, 1, 1]).expand(*frame_mask.shape, 4)
    expected = model(
        torch.tensor(ids),
        torch.tensor(frames),
        boxes,
        attention_mask=torch.tensor(mask).float(),
        visual_attention_mask=torch.tensor(frame_mask).float(),
    )
    folder = EncoderFolder(tmp_path)
    ours = CrossConfig(
        cross_layers=2, relational_layers=2, visual_embedding="boxed", bert_seq_length=48
    )
    spec = InputSpec(folder.encoder_config(ours), 0, {"frames": 40})
    backbone = build_backbone(ours, spec)
    report = folder.load_into(backbone)
    assert (report.left_out, report.absent, report.reshaped) == ((), (), ())
    inputs = {"token_ids": ids, "token_mask": mask, "frames": frames, "frame_mask": frame_mask}
    found = {name: ops.convert_to_numpy(x) for name, x in backbone(inputs, training=False).items()}
    for name, theirs, real in (
        ("hidden_states", "language_output", mask),
        ("frame_states", "vision_output", frame_mask),
        ("match_vector", "pooled_output", np.ones(len(mask), bool)),
    ):
        wanted = getattr(expected, theirs).detach().numpy()
        np.testing.assert_allclose(found[name][real], wanted[real], atol=2e-5, err_msg=name)
