"""Made folders as Hugging Face's libraries write them: 2 layers, 16 wide."""

import json

import numpy as np
import pytest
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


def encoder_tensors(kind: str, narrow: int) -> dict[str, np.ndarray]:
    """Random tensors under the published names, shaped (out, in)."""
    shapes = {"embeddings.word_embeddings.weight": (12, narrow)}
    shapes["embeddings.token_type_embeddings.weight"] = (2, narrow)
    shapes |= {f"embeddings.LayerNorm.{end}": (narrow,) for end in ("weight", "bias")}
    if kind == "bert":
        shapes["embeddings.position_embeddings.weight"] = (20, narrow)
    if narrow != 16:
        shapes |= {"embeddings_project.weight": (16, narrow), "embeddings_project.bias": (16,)}
    for i in range(2):
        for name, (out, into) in {
            "attention.self.query": (16, 16),
            "attention.self.key": (16, 16),
            "attention.self.value": (16, 16),
            "attention.output.dense": (16, 16),
            "intermediate.dense": (24, 16),
            "output.dense": (16, 24),
        }.items():
            shapes[f"encoder.layer.{i}.{name}.weight"] = (out, into)
            shapes[f"encoder.layer.{i}.{name}.bias"] = (out,)
        for name in ("attention.output", "output"):
            for end in ("weight", "bias"):
                shapes[f"encoder.layer.{i}.{name}.LayerNorm.{end}"] = (16,)
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.4, shape).astype("float32") for name, shape in shapes.items()}


@pytest.fixture
def make_folder(tmp_path):
    """`make_folder(kind, tensors=None, config={}, tokenizer={}, words=WORDS)`: (path, tensors)."""

    def make(kind, tensors=None, config=None, tokenizer=None, words=WORDS):
        path = tmp_path / kind
        path.mkdir()
        settings = CONFIG | {"model_type": kind} | (config or {})
        tensors = tensors or encoder_tensors(kind, settings.get("embedding_size", 16))
        save_file(tensors, str(path / "model.safetensors"))
        (path / "config.json").write_text(json.dumps(settings))
        if tokenizer is not None:
            (path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
        (path / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        return path, tensors

    return make
