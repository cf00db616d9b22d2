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
