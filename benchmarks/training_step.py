"""One finetuning step of Uniter, at its published size, beside the same model in PyTorch.

    python benchmarks/training_step.py [--rounds 5] [--pairs 32]

The peer is transformers' BertModel with the same heads and losses, PyTorch's fused AdamW and its
fused attention, both videos of a pair in one forward pass as here, and the same batch: padded to
its own longest, which a careful user of transformers does too. bfloat16 is autocast there and
mixed_bfloat16 here. With --compile the peer goes through torch.compile.

Lengths are drawn evenly from half the longest to the longest, and once more all are the longest:
batches with a quarter of padding, and with none.

A second table gives our step's time by the length of the longest in the batch.
"""

import argparse
import itertools

import numpy as np
from sides import Work, about, alternate, print_table

WORDS = 21128
TAGS = 10000
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def batch(pairs: int, tokens: int, frames: int, full: bool = False) -> dict[str, np.ndarray]:
    """A made batch of pairs in vidsim's schema, of random lengths up to the given ones, or full."""
    rng = np.random.default_rng(0)
    n_tokens = rng.integers(tokens if full else tokens // 2, tokens + 1, (pairs, 2, 1))
    n_frames = rng.integers(frames if full else frames // 2, frames + 1, (pairs, 2, 1))
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


def ours(size: str, policy: str, *shape: int) -> Work:
    """The task that `python finetune --recipes uniter` trains, on `batch(*shape)`."""
    return ours_of("uniter", size, policy, *shape)


def ours_of(recipe: str, size: str, policy: str, *shape: int) -> Work:
    """The same of any recipe."""
    from finetuning_task import finetuning_task

    _, task = finetuning_task(recipe, size, policy, WORDS, TAGS)
    made, weights = batch(*shape), task.backbone.count_params()

    def step() -> dict[str, float]:
        logs = task.train_on_batch(made, return_dict=True)
        figures = {"videos": 2 * len(made["sim"]), "loss": float(logs["loss"])}
        return figures | {"weights": weights}

    return step


def peer(size: str, bfloat16: bool, compiled: bool, *shape: int) -> Work:
    """The same in PyTorch."""
    import torch
    from torch_uniter import TorchUniter

    from vidsim.recipes.registry import load

    torch.manual_seed(0)
    [recipe] = load("uniter", size)
    model = TorchUniter(recipe.model.encoder(WORDS), TAGS).train()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-5, fused=True)
    run = torch.compile(model) if compiled else model
    made = {
        key: torch.from_numpy(value.reshape(-1, *value.shape[2:]) if key != "sim" else value)
        for key, value in batch(*shape).items()
    }

    def step() -> dict[str, float]:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = run(made)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return {"videos": 2 * len(made["sim"]), "loss": float(loss.detach())}

    return step


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", default="base")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=32, help="of the longest title")
    parser.add_argument("--frames", type=int, default=32, help="of the longest video")
    parser.add_argument("--compile", action="store_true", help="the peer through torch.compile")
    flags = parser.parse_args()
    shape = (flags.pairs, flags.tokens, flags.frames)
    print(about("tensorflow", "keras", "torch", "transformers"))
    rows = []
    for full, (name, policy) in itertools.product((False, True), POLICIES.items()):
        made = (*shape, full)
        times = alternate(
            {
                "vidsim": (ours, (flags.size, policy, *made)),
                "transformers": (peer, (flags.size, name == "bfloat16", flags.compile, *made)),
            },
            flags.rounds,
            warm_up=2,
        )
        here, there = (times[side].median for side in ("vidsim", "transformers"))
        lengths = "all the longest" if full else "half to the longest"
        rows.append([name, lengths, f"{here:.2f} s", f"{there:.2f} s", f"{there / here:.2f}"])
    print_table(["step", "lengths", "vidsim", "transformers", "ratio"], rows)
    _lengths(flags)


def _lengths(flags: argparse.Namespace) -> None:
    """Our float32 step on batches of shorter titles and videos."""
    shapes = [(flags.tokens // part, flags.frames // part) for part in (1, 2, 4)]
    times = alternate(
        {str(shape): (ours, (flags.size, "float32", flags.pairs, *shape)) for shape in shapes},
        flags.rounds,
        2,
    )
    rows = []
    for tokens, frames in shapes:
        taken = times[str((tokens, frames))].median
        rows.append(
            [tokens, frames, f"{taken:.2f} s", f"{taken / times[str(shapes[0])].median:.2f}"]
        )
    print_table(["longest title", "longest video", "step", "to the first"], rows)


if __name__ == "__main__":
    main()
