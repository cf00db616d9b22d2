"""Makes goldens/*.npz: what transformers' PyTorch classes compute, for `test_parity.py`.

    pip install torch transformers && python tests/pretrained/make_parity_goldens.py

The weights are made from a seed (`encoder_tensors` in conftest.py), so only results are stored:
hidden states, and four numbers of every tensor's gradient in the order of the tensors' names.
"""

import runpy
from pathlib import Path

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertModel,
    LxmertConfig,
    LxmertModel,
    RoFormerConfig,
    RoFormerModel,
)

HERE = Path(__file__).resolve().parent
MADE = runpy.run_path(str(HERE / "conftest.py"))
CLASSES = {"bert": (BertConfig, BertModel), "roformer": (RoFormerConfig, RoFormerModel)}


def lxmert() -> dict[str, np.ndarray]:
    """What LxmertModel makes of the made videos, a frame's box being the whole picture.

    Its layers have an epsilon of 1e-12 whatever config.json says.
    """
    settings = {
        k: v for k, v in MADE["LXMERT"].items() if k not in ("model_type", "layer_norm_eps")
    }
    model = LxmertModel(LxmertConfig(**settings)).eval()
    model.load_state_dict({k: torch.tensor(v) for k, v in MADE["lxmert_tensors"]().items()})
    frames, mask = MADE["lxmert_frames"]()
    boxes = np.broadcast_to(np.float32([0, 0, 1, 1]), (*frames.shape[:2], 4))
    found = model(
        torch.tensor(MADE["IDS"]),
        torch.tensor(frames),
        torch.tensor(boxes.copy()),
        attention_mask=torch.tensor(MADE["MASK"]).float(),
        visual_attention_mask=torch.tensor(mask).float(),
    )
    return {
        "language": found.language_output.detach().numpy()[MADE["MASK"]],
        "vision": found.vision_output.detach().numpy()[mask],
        "pooled": found.pooled_output.detach().numpy(),
    }


def main() -> None:
    """Writes the files beside this one."""
    np.savez_compressed(HERE / "goldens" / "lxmert.npz", **lxmert())
    goldens = {}
    for case, changes in MADE["PARITY_CASES"].items():
        settings = MADE["CONFIG"] | changes
        config_class, model_class = CLASSES[settings["model_type"]]
        plain = {k: v for k, v in settings.items() if k != "model_type"}
        config = config_class(**plain, attn_implementation="eager")
        extra = {} if settings["model_type"] == "roformer" else {"add_pooling_layer": False}
        model = model_class(config, **extra).eval()
        tensors = MADE["encoder_tensors"](settings)
        stored = {name: torch.tensor(value) for name, value in tensors.items()}
        missing, unexpected = model.load_state_dict(stored, strict=False)
        assert not unexpected and all("embed_positions" in name for name in missing), missing
        ids, mask = MADE["IDS"], MADE["MASK"]
        hidden = model(torch.tensor(ids), attention_mask=torch.tensor(mask)).last_hidden_state
        (hidden * torch.tensor(MADE["loss_weights"](settings["hidden_size"]))).sum().backward()
        goldens[f"{case}/hidden"] = hidden.detach().numpy()[mask]
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        rows = [MADE["some"](gradients[name].numpy()) for name in sorted(tensors)]
        goldens[f"{case}/gradients"] = np.stack(rows)
    np.savez_compressed(HERE / "goldens" / "parity.npz", **goldens)


if __name__ == "__main__":
    main()
