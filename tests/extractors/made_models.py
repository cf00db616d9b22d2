"""Made models under the names of published files: weights come of their names, none is stored."""

import json
import zlib
from pathlib import Path

import numpy as np

SIZE, PATCH, WIDTH, HIDDEN, LAYERS, HEADS, PROJECTED = 24, 8, 16, 20, 2, 2, 12
WORDS = 58
TEXT = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 18,
    "vocab_size": WORDS,
    "max_position_embeddings": 10,
    "eos_token_id": WORDS - 1,
    "bos_token_id": WORDS - 2,
}
VISION = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": HIDDEN,
    "image_size": SIZE,
    "patch_size": PATCH,
}
CONFIGS = {
    "vit": {"model_type": "vit", **VISION},
    "deit": {"model_type": "deit", **VISION},
    "clip": {
        "model_type": "clip",
        "projection_dim": PROJECTED,
        "vision_config": VISION,
        "text_config": TEXT,
    },
    "siglip": {"model_type": "siglip_vision_model", **VISION},
}
SENTENCES = ["A cat and a DOG", "", "dogs " * 9, "x"]
SWIN = {"size": 16, "patch": 2, "window": 4, "width": 8, "depths": (2, 1), "heads": (2, 4)}


def pictures(size: int = SIZE) -> np.ndarray:
    """Three preprocessed pictures."""
    return np.random.default_rng(7).normal(size=(3, size, size, 3)).astype("float32")


def photograph(height: int = 90, width: int = 130) -> np.ndarray:
    """(H, W, 3) uint8: edges, a slope and noise, on which resizings differ."""
    rows, columns = np.mgrid[:height, :width]
    slope = np.stack(
        [rows * 255 / height, columns * 255 / width, (rows // 7 + columns // 5) % 2 * 255], -1
    )
    noise = np.random.default_rng(5).normal(0, 25, slope.shape)
    return np.clip(slope + noise, 0, 255).astype("uint8")


def made(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Tensors, each of its name; the gains of norms are around 1, and running variances above 0."""
    tensors = {}
    for name, shape in shapes.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        spread = 0.5 * (max(np.prod(shape[1:]), 1) ** -0.5 if len(shape) > 1 else 0.2)
        value = rng.normal(0, spread, shape)
        if len(shape) == 1 and name.endswith(".weight"):
            value = value + 1
        if name.endswith("running_var"):
            value = abs(value) + 0.5
        tensors[name] = value.astype("float32")
    return tensors


def dense_shapes(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def vit_shapes(tokens: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """ViTModel's and DeiTModel's."""
    shapes = {f"embeddings.{name}_token": (1, 1, WIDTH) for name in tokens}
    count = (SIZE // PATCH) ** 2 + len(tokens)
    shapes["embeddings.position_embeddings"] = (1, count, WIDTH)
    shapes["embeddings.patch_embeddings.projection.weight"] = (WIDTH, 3, PATCH, PATCH)
    shapes["embeddings.patch_embeddings.projection.bias"] = (WIDTH,)
    for number in range(LAYERS):
        at = f"encoder.layer.{number}."
        for part in ("query", "key", "value"):
            shapes |= dense_shapes(f"{at}attention.attention.{part}", WIDTH, WIDTH)
        shapes |= dense_shapes(f"{at}attention.output.dense", WIDTH, WIDTH)
        shapes |= dense_shapes(f"{at}intermediate.dense", HIDDEN, WIDTH)
        shapes |= dense_shapes(f"{at}output.dense", WIDTH, HIDDEN)
        shapes |= norm_shapes(f"{at}layernorm_before", WIDTH)
        shapes |= norm_shapes(f"{at}layernorm_after", WIDTH)
    return shapes | norm_shapes("layernorm", WIDTH)


def clip_layers(at: str, layers: int, width: int, hidden: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for number in range(layers):
        layer = f"{at}encoder.layers.{number}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= dense_shapes(f"{layer}self_attn.{part}", width, width)
        shapes |= norm_shapes(f"{layer}layer_norm1", width) | norm_shapes(
            f"{layer}layer_norm2", width
        )
        shapes |= dense_shapes(f"{layer}mlp.fc1", hidden, width)
        shapes |= dense_shapes(f"{layer}mlp.fc2", width, hidden)
    return shapes


def clip_shapes() -> dict[str, tuple[int, ...]]:
    """CLIPModel's."""
    eye, reader, width = "vision_model.", "text_model.", TEXT["hidden_size"]
    return {
        f"{eye}embeddings.class_embedding": (WIDTH,),
        f"{eye}embeddings.patch_embedding.weight": (WIDTH, 3, PATCH, PATCH),
        f"{eye}embeddings.position_embedding.weight": ((SIZE // PATCH) ** 2 + 1, WIDTH),
        **norm_shapes(f"{eye}pre_layrnorm", WIDTH),
        **clip_layers(eye, LAYERS, WIDTH, HIDDEN),
        **norm_shapes(f"{eye}post_layernorm", WIDTH),
        f"{reader}embeddings.token_embedding.weight": (WORDS, width),
        f"{reader}embeddings.position_embedding.weight": (TEXT["max_position_embeddings"], width),
        **clip_layers(reader, TEXT["num_hidden_layers"], width, TEXT["intermediate_size"]),
        **norm_shapes(f"{reader}final_layer_norm", width),
        "visual_projection.weight": (PROJECTED, WIDTH),
        "text_projection.weight": (PROJECTED, width),
    }


def siglip_shapes() -> dict[str, tuple[int, ...]]:
    """SiglipVisionModel's."""
    at = "vision_model."
    return {
        **{f"{at}embeddings.patch_embedding.weight": (WIDTH, 3, PATCH, PATCH)},
        f"{at}embeddings.patch_embedding.bias": (WIDTH,),
        f"{at}embeddings.position_embedding.weight": ((SIZE // PATCH) ** 2, WIDTH),
        **clip_layers(at, LAYERS, WIDTH, HIDDEN),
        **norm_shapes(f"{at}post_layernorm", WIDTH),
        f"{at}head.probe": (1, 1, WIDTH),
        f"{at}head.attention.in_proj_weight": (3 * WIDTH, WIDTH),
        f"{at}head.attention.in_proj_bias": (3 * WIDTH,),
        **dense_shapes(f"{at}head.attention.out_proj", WIDTH, WIDTH),
        **norm_shapes(f"{at}head.layernorm", WIDTH),
        **dense_shapes(f"{at}head.mlp.fc1", HIDDEN, WIDTH),
        **dense_shapes(f"{at}head.mlp.fc2", WIDTH, HIDDEN),
    }


def swin_shapes() -> dict[str, tuple[int, ...]]:
    """Of the authors' repository."""
    width, table = SWIN["width"], (2 * SWIN["window"] - 1) ** 2
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embed.proj.weight": (width, 3, SWIN["patch"], SWIN["patch"]),
        "patch_embed.proj.bias": (width,),
        **norm_shapes("patch_embed.norm", width),
    }
    for stage, (depth, heads) in enumerate(zip(SWIN["depths"], SWIN["heads"], strict=True)):
        for number in range(depth):
            at = f"layers.{stage}.blocks.{number}."
            shapes |= norm_shapes(f"{at}norm1", width) | norm_shapes(f"{at}norm2", width)
            shapes[f"{at}attn.relative_position_bias_table"] = (table, heads)
            shapes |= dense_shapes(f"{at}attn.qkv", 3 * width, width)
            shapes |= dense_shapes(f"{at}attn.proj", width, width)
            shapes |= dense_shapes(f"{at}mlp.fc1", 4 * width, width)
            shapes |= dense_shapes(f"{at}mlp.fc2", width, 4 * width)
        if stage + 1 < len(SWIN["depths"]):
            shapes[f"layers.{stage}.downsample.reduction.weight"] = (2 * width, 4 * width)
            shapes |= norm_shapes(f"layers.{stage}.downsample.norm", 4 * width)
            width *= 2
    return shapes | norm_shapes("norm", width)


SHAPES = {
    "vit": vit_shapes(("cls",)),
    "deit": vit_shapes(("cls", "distillation")),
    "clip": clip_shapes(),
    "siglip": siglip_shapes(),
}


def write_folder(kind: str, path: Path) -> Path:
    """A folder as it is downloaded: config, weights, preprocessing, and CLIP's tokenizer."""
    from safetensors.numpy import save_file

    path.mkdir(parents=True, exist_ok=True)
    save_file(made(SHAPES[kind]), str(path / "model.safetensors"))
    (path / "config.json").write_text(json.dumps(CONFIGS[kind]))
    size = {"height": SIZE, "width": SIZE}
    stated = {"size": size, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    if kind == "clip":
        stated |= {"size": {"shortest_edge": SIZE}, "crop_size": size, "do_center_crop": True}
        letters = "abcdefghijklmnopqrstuvwxyz"
        words = [
            *letters,
            *(f"{letter}</w>" for letter in letters),
            "ca",
            "cat</w>",
            "do",
            "dog</w>",
        ]
        words += ["<|startoftext|>", "<|endoftext|>"]
        (path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
        (path / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\nd o\ndo g</w>\n")
    (path / "preprocessor_config.json").write_text(json.dumps(stated))
    return path
