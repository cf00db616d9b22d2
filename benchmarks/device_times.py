"""Clocks: seconds for a step, with and without the host's part, and what the device could do."""

import statistics
import time

import jax
import jax.numpy as jnp
from device_steps import Stage

# Dense bfloat16 (T4 and V100: float16) by the makers' data sheets, FLOP/s. The longest name wins.
PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100": 989e12,
    "H100 PCIe": 756e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "V100": 125e12,
    "T4": 65e12,
}
_ROUNDS = 3
_HOST_BATCHES = 4  # different ones, so that no cache holds them all


def peak_rate(device_kind: str) -> float | None:
    """FLOP/s of the data sheet; None for a device that is not in the table.

    Args:
        device_kind: as JAX names it, for instance "NVIDIA H200".
    """
    words = set(device_kind.replace("-", " ").replace("Tesla ", "").split())
    fitting = [name for name in PEAKS if set(name.split()) <= words]
    return PEAKS[max(fitting, key=len)] if fitting else None


def matrix_product_rate(dtype: str) -> float:
    """FLOP/s of one square matrix product of random numbers, the best of several sizes."""
    sizes = (1024, 2048) if jax.devices()[0].platform == "cpu" else (4096, 8192, 16384)
    kind = jnp.bfloat16 if dtype == "mixed_bfloat16" else jnp.float32
    return max(_product_rate(size, kind) for size in sizes)


def _product_rate(size: int, kind) -> float:
    keys = jax.random.split(jax.random.key(0))
    a, b = (jax.random.normal(key, (size, size), kind) for key in keys)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(a, b))
    times = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        jax.block_until_ready([product(a, b) for _ in range(5)])
        times.append((time.perf_counter() - begin) / 5)
    return 2 * size**3 / statistics.median(times)


def time_stage(work: Stage, rows: int, steps: int) -> tuple[float, float]:
    """Seconds for a step: batch on the device already, and batch from the host.

    With the host's part, each batch is sent while the device still works on the one before, and
    what a user wants comes back: all embeddings, or the last losses. Compilation is not in it.

    Args:
        work: the stage; its state goes on.
        rows: videos or pairs in a batch.
        steps: in each of several rounds, of which the median counts.
    """
    batches = [work.batch(rows, number) for number in range(_HOST_BATCHES)]
    resident = jax.device_put(batches[0])
    _run(work, [resident] * 2)
    alone = statistics.median(_run(work, [resident] * steps) for _ in range(_ROUNDS))
    rotating = [batches[number % _HOST_BATCHES] for number in range(steps)]
    _run(work, rotating[:2], fetch=True)
    return alone, statistics.median(_run(work, rotating, fetch=True) for _ in range(_ROUNDS))


def _run(work: Stage, batches: list, fetch: bool = False) -> float:
    """Seconds for a step."""
    begin = time.perf_counter()
    waiting = None
    for batch in batches:
        result, work.state = work.step(work.state, jax.device_put(batch))
        if fetch and work.stage == "embed":
            waiting = _fetched(waiting, result)
    jax.block_until_ready(work.state)
    jax.device_get(result) if fetch else jax.block_until_ready(result)
    return (time.perf_counter() - begin) / len(batches)


def _fetched(waiting, result):
    """Brings the result before to the host while the device makes this one."""
    result.copy_to_host_async()
    if waiting is not None:
        jax.device_get(waiting)
    return result


def profiled(work: Stage, rows: int, folder: str) -> None:
    """Writes a trace of five steps, for TensorBoard or Perfetto."""
    batch = jax.device_put(work.batch(rows, 0))
    with jax.profiler.trace(folder):
        _run(work, [batch] * 5)


def out_of_memory(error: Exception) -> bool:
    """Whether the device's memory was too small; then the state is gone too."""
    return "RESOURCE_EXHAUSTED" in str(error)
