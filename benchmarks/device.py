"""How much of a device pretraining, finetuning and embedding use: made batches, no TensorFlow.

    python benchmarks/device.py --size base --recipes mix,uniter --batch-sizes 64,256,1024

First, with float32, the first steps' losses are compared with the CPU's; where the CPU is the only
device, the compiled step with the same step run operation by operation. Then every stage is timed
at every batch size. A GPU is used where JAX finds one, otherwise the CPU.

FLOP are those of the model's matrix products (vidsim/models/flops.py), not those a compiler makes
of them. The share is of the table's dense peak for bfloat16, where the device is known, and of the
rate of one large matrix product measured in the same run.
"""

import argparse
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import keras
from device_steps import STAGES, Setting, Stage, first_losses
from device_times import matrix_product_rate, out_of_memory, peak_rate, profiled, time_stage

STEPS_COMPARED = 3
TOLERANCE = 1e-3  # relative, of a loss: float32 sums in another order, three updates long


def main(words: list[str] | None = None) -> int:
    """Runs the comparison and the table; 1 if the losses differ."""
    flags = _parse(words)
    device = jax.devices()[0]
    on_cpu = device.platform == "cpu"
    dtype = flags.dtype or ("float32" if on_cpu else "mixed_bfloat16")
    print(f"device: {device.device_kind} ({device.platform}), JAX {jax.__version__}")
    if on_cpu:
        print("no GPU is at hand: this is the CPU, of which no peak is known")
    agree = all([_compare(Setting(name, flags.size), on_cpu) for name in flags.recipes])
    if flags.steps:
        _time(flags, dtype, device)
    return 0 if agree else 1


def _parse(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipes", type=_names, default=["mix", "uniter"])
    parser.add_argument("--stages", type=_names, default=list(STAGES))
    parser.add_argument("--size", choices=("tiny", "small", "base"), default="base")
    parser.add_argument("--batch-sizes", type=_numbers, default=[64, 256, 1024])
    parser.add_argument("--dtype", help="mixed_bfloat16 (default on a GPU) or float32 (on a CPU)")
    parser.add_argument("--steps", type=int, default=20, help="timed; 0: compare losses only")
    parser.add_argument("--no-dropout", action="store_true", help="what random numbers cost")
    parser.add_argument("--profile", help="folder for a trace of five steps of each row")
    return parser.parse_args(words)


def _names(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _compare(setting: Setting, on_cpu: bool) -> bool:
    """Whether the losses of the first steps are the reference's, stage by stage."""
    agree = True
    for stage in ("pretrain", "finetune"):
        losses = first_losses(setting, stage, STEPS_COMPARED, jax.devices()[0])
        if on_cpu:
            with jax.disable_jit():
                reference = first_losses(setting, stage, STEPS_COMPARED, jax.devices()[0])
        else:
            reference = first_losses(setting, stage, STEPS_COMPARED, jax.devices("cpu")[0])
        worst = max(abs(a / b - 1) for a, b in zip(losses, reference, strict=True))
        agree &= worst <= TOLERANCE
        what = "not compiled" if on_cpu else "on the CPU"
        print(
            f"{setting.recipe} {stage}: losses {', '.join(f'{loss:.5f}' for loss in losses)}; "
            f"{what} they differ by {worst:.1e} at most: {'' if worst <= TOLERANCE else 'NOT '}"
            f"within {TOLERANCE:g}"
        )
    return agree


def _time(flags: argparse.Namespace, dtype: str, device: jax.Device) -> None:
    measured = matrix_product_rate(dtype)
    table = peak_rate(device.device_kind) if dtype == "mixed_bfloat16" else None
    print(f"\n{dtype}: one large matrix product runs at {measured / 1e12:.3g} TFLOP/s; dense peak "
          f"{f'{table / 1e12:.0f} TFLOP/s' if table else 'not in the table'}\n")  # fmt: skip
    print(
        "| recipe | stage | batch | ms/step | videos/s | with transfers | TFLOP/s | of peak "
        "| of product |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name in flags.recipes:
        setting = Setting(name, flags.size, dtype, not flags.no_dropout)
        for stage in flags.stages:
            work = Stage(setting, stage)
            for size in flags.batch_sizes:
                print(_row(flags, work, size, measured, table), flush=True)
            keras.utils.clear_session(free_memory=True)


def _row(
    flags: argparse.Namespace, work: Stage, size: int, measured: float, table: float | None
) -> str:
    head = f"| {work.setting.recipe} | {work.stage} | {size} |"
    try:
        seconds, with_transfers = time_stage(work, size, flags.steps)
    except jax.errors.JaxRuntimeError as error:
        if not out_of_memory(error):
            raise
        return f"{head} out of memory | | | | | |"
    if flags.profile:
        profiled(work, size, os.path.join(flags.profile, work.setting.recipe, work.stage))
    videos = size * work.videos_per_row
    rate = videos * work.flops_per_video / seconds
    share = f"{rate / table:.1%}" if table else ""
    return (
        f"{head} {1e3 * seconds:.4g} | {videos / seconds:.4g} | {videos / with_transfers:.4g} | "
        f"{rate / 1e12:.3g} | {share} | {rate / measured:.1%} |"
    )


if __name__ == "__main__":
    sys.exit(main())
