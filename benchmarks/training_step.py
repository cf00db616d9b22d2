"""One finetuning step of Uniter at its published size, beside the same model in PyTorch.

    python benchmarks/training_step.py [--rounds 5] [--pairs 32]

The peer is transformers' BertModel with the same heads and losses, PyTorch's fused AdamW and its
fused attention, both videos of a pair in one forward pass as here, and the same batch: padded to
its own longest, which a careful user of transformers does too. bfloat16 is autocast there and
mixed_bfloat16 here. With --compile the peer goes through torch.compile.

A second table gives our step's time by the length of what is in the batch.
"""

import argparse

import numpy as np
from sides import Work, about, alternate, print_table

WORDS = 21128
TAGS = 10000


def batch(pairs: int, tokens: int, frames: int) -> dict[str, np.ndarray]:
    """A made batch of pairs in vidsim's schema, of random lengths up to the given ones."""
    rng = np.random.default_rng(0)
    n_tokens = rng.integers(tokens // 2, tokens + 1, (pairs, 2, 1))
    n_frames = rng.integers(frames // 2, frames + 1, (pairs, 2, 1))
    n_tokens[0], n_frames[0] = tokens, frames  # the longest there is
    token_mask, frame_mask = np.arange(tokens) < n_tokens, np.arange(frames) < n_frames
    features = rng.normal(size=(pairs, 2, frames, 1536)) * frame_mask[..., None]
    return {
        "token_ids": rng.integers(1, WORDS, (pairs, 2, tokens)).astype("int32") * token_mask,
        "token_mask": token_mask,
        "frames": features.astype("float16"),
        "frame_mask": frame_mask,
        "tags": (rng.random((pairs, 2, TAGS)) < 5 / TAGS).astype("uint8"),
        "sim": rng.random(pairs).astype("float32"),
    }


def ours(policy: str, pairs: int, tokens: int, frames: int) -> Work:
    """The task that `python finetune --recipes uniter --size base` trains, and its trainer."""
    from vidsim.tensorflow_start import start_tensorflow

    start_tensorflow()
    import keras

    from vidsim.models.pair_scorer import PairScorer
    from vidsim.models.registry import build_backbone
    from vidsim.objectives.objective import build_objectives
    from vidsim.recipes.recipe import objectives
    from vidsim.recipes.registry import load
    from vidsim.schema import COSINE
    from vidsim.training.optimizer import build_optimizer
    from vidsim.training.trainer import Trainer

    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    [recipe] = load("uniter", "base")
    backbone = build_backbone(recipe.model, recipe.model.encoder(WORDS), TAGS)
    outputs = (*backbone.output_keys, COSINE)
    losses = build_objectives(objectives(recipe.finetune), backbone, outputs)
    task = PairScorer(backbone, losses)
    Trainer(task, build_optimizer(recipe.finetune.optimizer, 4000, 4000))
    made = batch(pairs, tokens, frames)

    def step() -> dict[str, float]:
        logs = task.train_on_batch(made, return_dict=True)
        return {"videos": 2 * pairs, "loss": float(logs["loss"])}

    return step


def peer(bfloat16: bool, compiled: bool, pairs: int, tokens: int, frames: int) -> Work:
    """The same in PyTorch."""
    import torch
    from torch_uniter import TorchUniter

    torch.manual_seed(0)
    model = TorchUniter(WORDS, TAGS).train()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-5, fused=True)
    run = torch.compile(model) if compiled else model
    made = {
        key: torch.from_numpy(value.reshape(-1, *value.shape[2:]) if key != "sim" else value)
        for key, value in batch(pairs, tokens, frames).items()
    }

    def step() -> dict[str, float]:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = run(made)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return {"videos": 2 * pairs, "loss": float(loss.detach())}

    return step


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=32, help="of the longest title")
    parser.add_argument("--frames", type=int, default=32, help="of the longest video")
    parser.add_argument("--compile", action="store_true", help="the peer through torch.compile")
    flags = parser.parse_args()
    shape = (flags.pairs, flags.tokens, flags.frames)
    print(about("tensorflow", "keras", "torch", "transformers"))
    rows = []
    for name, policy in (("float32", "float32"), ("bfloat16", "mixed_bfloat16")):
        times = alternate(
            {
                "vidsim": (ours, (policy, *shape)),
                "transformers": (peer, (name == "bfloat16", flags.compile, *shape)),
            },
            flags.rounds,
            warm_up=2,
        )
        here, there = times["vidsim"], times["transformers"]
        ratio = f"{there.median / here.median:.2f}"
        rows.append([name, f"{here.median:.2f} s", f"{there.median:.2f} s", ratio])
    print_table(["step", "vidsim", "transformers", "ratio"], rows)


if __name__ == "__main__":
    main()
