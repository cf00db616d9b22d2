"""One finetuning step on pairs of each newer family, beside the same model in PyTorch.

    python benchmarks/family_steps.py [--rounds 3] [--pairs 8]

The batches, losses and optimizers are those of training_step.py: titles and videos of half the
longest to the longest, padded to the longest in the batch. The peers are in torch_families.py.
"""

import argparse
import itertools

from sides import Work, about, alternate, print_table
from training_step import POLICIES, TAGS, WORDS, batch, ours_of

RECIPES = ("lxmert", "albef", "actbert")


def peer(recipe_name: str, size: str, bfloat16: bool, *shape: int) -> Work:
    """The same in PyTorch."""
    import torch
    from torch_families import torch_family

    from vidsim.recipes.registry import load

    torch.manual_seed(0)
    [recipe] = load(recipe_name, size)
    model = torch_family(recipe.model, recipe.model.encoder(WORDS), TAGS).train()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-5, fused=True)
    made = {
        key: torch.from_numpy(value.reshape(-1, *value.shape[2:]) if key != "sim" else value)
        for key, value in batch(*shape).items()
    }

    def step() -> dict[str, float]:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = model(made)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        weights = sum(parameter.numel() for parameter in model.parameters())
        return {"weights": weights, "loss": float(loss.detach())}

    return step


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--size", default="base")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=32, help="of the longest title")
    parser.add_argument("--frames", type=int, default=32, help="of the longest video")
    flags = parser.parse_args()
    shape = (flags.pairs, flags.tokens, flags.frames)
    print(about("tensorflow", "keras", "torch"))
    rows = []
    for recipe, (name, policy) in itertools.product(flags.recipes.split(","), POLICIES.items()):
        times = alternate(
            {
                "vidsim": (ours_of, (recipe, flags.size, policy, *shape)),
                "torch": (peer, (recipe, flags.size, name == "bfloat16", *shape)),
            },
            flags.rounds,
            warm_up=2,
        )
        here, there = times["vidsim"].median, times["torch"].median
        weights = [f"{times[side].figures['weights'] / 1e6:.0f}" for side in times]
        rows.append(
            [recipe, name, *weights, f"{here:.2f} s", f"{there:.2f} s", f"{there / here:.2f}"]
        )
    header = ["recipe", "step", "million weights", "PyTorch's", "vidsim", "PyTorch", "ratio"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
