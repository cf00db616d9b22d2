"""Made folders as Hugging Face's libraries write them: 2 layers, 16 wide."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from safetensors.numpy import save_file

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "猫", "咪", "play", "##ing", "Play"]
CONFIG = {
    "vocab_size": 12,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
}

PARITY_CASES = {  # what differs from CONFIG
    "bert": {"model_type": "bert"},
    "bert_wide": {
        "model_type": "bert",
        "hidden_size": 24,
        "num_attention_heads": 3,
        "num_hidden_layers": 3,
        "intermediate_size": 40,
        "type_vocab_size": 3,
        "hidden_act": "gelu_new",
        "layer_norm_eps": 1e-12,
    },
    "bert_relu": {"model_type": "bert", "num_hidden_layers": 1, "hidden_act": "relu"},
    "roformer": {"model_type": "roformer"},
    "roformer_narrow": {
        "model_type": "roformer",
        "embedding_size": 6,
        "rotary_value": True,
        "num_attention_heads": 4,
    },
}
IDS = np.array([[2, 5, 6, 7, 8, 3], [2, 9, 3, 0, 0, 0], [2, 10, 11, 4, 3, 0]])
MASK = IDS > 0


def loss_weights(width: int) -> np.ndarray:
    """(B, S, width) what a test's loss multiplies hidden states with; 0 at padding."""
    weights = np.random.default_rng(1).normal(size=(*IDS.shape, width))
    return (weights * MASK[:, :, None]).astype("float32")


def some(array: np.ndarray) -> np.ndarray:
    """Four numbers from all over an array."""
    flat = array.ravel()
    return flat[np.linspace(0, flat.size - 1, 4).astype(int)]


def encoder_tensors(settings: dict) -> dict[str, np.ndarray]:
    """Random tensors under the published names, shaped (out, in), for a config.json."""
    width, words = settings["hidden_size"], settings["vocab_size"]
    narrow, middle = settings.get("embedding_size", width), settings["intermediate_size"]
    shapes = {"embeddings.word_embeddings.weight": (words, narrow)}
    shapes["embeddings.token_type_embeddings.weight"] = (settings["type_vocab_size"], narrow)
    shapes |= {f"embeddings.LayerNorm.{end}": (narrow,) for end in ("weight", "bias")}
    if settings["model_type"] == "bert":
        positions = settings["max_position_embeddings"]
        shapes["embeddings.position_embeddings.weight"] = (positions, narrow)
    if narrow != width:
        shapes |= {"embeddings_project.weight": (width, narrow)}
        shapes |= {"embeddings_project.bias": (width,)}
    for i in range(settings["num_hidden_layers"]):
        for name, (out, into) in {
            "attention.self.query": (width, width),
            "attention.self.key": (width, width),
            "attention.self.value": (width, width),
            "attention.output.dense": (width, width),
            "intermediate.dense": (middle, width),
            "output.dense": (width, middle),
        }.items():
            shapes[f"encoder.layer.{i}.{name}.weight"] = (out, into)
            shapes[f"encoder.layer.{i}.{name}.bias"] = (out,)
        for name in ("attention.output", "output"):
            for end in ("weight", "bias"):
                shapes[f"encoder.layer.{i}.{name}.LayerNorm.{end}"] = (width,)
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.4, shape).astype("float32") for name, shape in shapes.items()}


LXMERT = CONFIG | {
    "model_type": "lxmert",
    "num_hidden_layers": {"vision": 1, "cross_encoder": 2, "language": 2},
    "l_layers": 2,
    "x_layers": 2,
    "r_layers": 1,
    "visual_feat_dim": 6,
    "visual_pos_dim": 4,
}


def lxmert_tensors():
    """Random tensors by the names in LXMERT's files, without their prefix."""
    made = encoder_tensors(CONFIG | {"model_type": "bert"})
    layer = {
        name.removeprefix("encoder.layer.0."): value.shape
        for name, value in made.items()
        if name.startswith("encoder.layer.0.")
    }
    shapes = {f"encoder.r_layers.0.{name}": shape for name, shape in layer.items()}
    for i in range(LXMERT["x_layers"]):
        start = f"encoder.x_layers.{i}"
        for name, shape in layer.items():
            kind, rest = name.split(".", 1)
            if kind == "attention":
                ours = f"{start}.visual_attention.{rest.replace('self.', 'att.')}"
                shapes[ours] = shape
            for side in ("lang", "visn"):
                part = {"attention": "self_att", "intermediate": "inter"}.get(kind, kind)
                shapes[f"{start}.{side}_{part}.{rest}"] = shape
    for part, size in (("visn", LXMERT["visual_feat_dim"]), ("box", LXMERT["visual_pos_dim"])):
        shapes[f"encoder.visn_fc.{part}_fc.weight"] = (16, size)
        shapes[f"encoder.visn_fc.{part}_fc.bias"] = (16,)
        shapes |= {f"encoder.visn_fc.{part}_layer_norm.{end}": (16,) for end in ("weight", "bias")}
    shapes |= {"pooler.dense.weight": (16, 16), "pooler.dense.bias": (16,)}
    rng = np.random.default_rng(2)
    return made | {name: rng.normal(0, 0.4, s).astype("float32") for name, s in shapes.items()}


def lxmert_frames():
    """Features (B, T, F) of the videos of IDS, and which are real (B, T)."""
    rng = np.random.default_rng(3)
    mask = np.arange(4) < np.array([[4], [1], [3]])
    return rng.normal(size=(3, 4, LXMERT["visual_feat_dim"])).astype("float32"), mask


@pytest.fixture
def lxmert():
    """(config.json, tensors) of an LXMERT with 2 text layers, 2 cross layers, 1 over frames."""
    return LXMERT, lxmert_tensors()


@pytest.fixture
def lxmert_inputs():
    """Token ids and mask, features and their mask."""
    return IDS, MASK, *lxmert_frames()


def gradients_of(call, variables, weights):
    """What a call gives, and the gradients of sum(it * weights) by published name."""
    values = [variable.value for variable in variables.values()]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            hidden = call()
            loss = ops.sum(hidden * weights)
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, values)]
    else:
        import jax

        def loss_of(values):
            mapping = list(zip(variables.values(), values, strict=True))
            with keras.StatelessScope(mapping):
                hidden = call()
            return ops.sum(hidden * weights), hidden

        gradients, hidden = jax.jit(jax.grad(loss_of, has_aux=True))(values)
    named = zip(variables, gradients, strict=True)
    return ops.convert_to_numpy(hidden), {name: np.asarray(value) for name, value in named}


@pytest.fixture
def differentiate():
    """The function above."""
    return gradients_of


@pytest.fixture
def parity_inputs(parity_case):
    """Token ids and mask (B, S), and what the loss weighs hidden states with."""
    return IDS, MASK, loss_weights(parity_case[0]["hidden_size"])


@pytest.fixture
def some_numbers():
    """The function that picks what of a gradient is stored."""
    return some


@pytest.fixture(params=PARITY_CASES)
def parity_case(request):
    """(settings, tensors, goldens of transformers' PyTorch classes for them)."""
    settings = CONFIG | PARITY_CASES[request.param]
    with np.load(Path(__file__).parent / "goldens" / "parity.npz") as file:
        start = f"{request.param}/"
        goldens = {k.removeprefix(start): file[k] for k in file.files if k.startswith(start)}
    return settings, encoder_tensors(settings), goldens


@pytest.fixture
def make_folder(tmp_path):
    """`make_folder(kind, tensors=None, config={}, tokenizer={}, words=WORDS)`: (path, tensors)."""

    def make(kind, tensors=None, config=None, tokenizer=None, words=WORDS):
        path = tmp_path / kind
        path.mkdir()
        settings = CONFIG | {"model_type": kind} | (config or {})
        if tensors is None:
            # a test of a wrong size writes it to config.json only
            same = {k: v for k, v in settings.items() if isinstance(v, type(CONFIG.get(k, v)))}
            tensors = encoder_tensors(CONFIG | same)
        save_file(tensors, str(path / "model.safetensors"))
        (path / "config.json").write_text(json.dumps(settings))
        if tokenizer is not None:
            (path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
        (path / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        return path, tensors

    return make
