"""What does an executor cost over plain processes, and what does a second worker bring?

    python benchmarks/executors.py [--finetunes 66] [--steps 10] [--sides plain local ray]

The sample's finetunings at size tiny, each a command of its own, from random weights: as plain
processes, two at a time; by the local executor with two slots, and with one; by Ray on a head
without slots and two nodes with one each, started before. Then 1,000 shards of two videos each by
`vidsim embed --by-file`, as one command and as jobs of both executors (--shards 0 leaves it out).
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sides import about, print_table

RECIPES = ("mix", "mix_asl", "mix_roformer", "uniter", "uniter_asl", "uniter_roformer")
VIDSIM = (sys.executable, "-m", "vidsim")


def commands(folder: Path, count: int, steps: int, save: str) -> dict[str, tuple[str, ...]]:
    """Words of each finetuning, by the name of its job."""
    common = (f"--data-dir={folder / 'data'}", f"--save-dir={folder / save}", "--size=tiny")
    own = ("--pretrain-model-dir=none", f"--total-steps={steps}", f"--eval-freq={steps}")
    runs = itertools.islice(itertools.product(range(11), RECIPES), count)
    return {
        f"finetune/{recipe}/fold{fold}": (
            *("finetune", *common, f"--recipes={recipe}", f"--folds={fold}", *own),
        )
        for fold, recipe in runs
    }


def plain(words: Sequence[tuple[str, ...]], logs: Path, slots: int) -> float:
    """Seconds of the commands as processes, so many at a time."""
    waiting, running, began = list(words), [], time.monotonic()
    logs.mkdir(parents=True)
    with (logs / "log").open("wb") as log:
        while waiting or running:
            while waiting and len(running) < slots:
                running.append(subprocess.Popen([*VIDSIM, *waiting.pop(0)], stdout=log, stderr=log))
            for process in [process for process in running if process.poll() is not None]:
                assert process.returncode == 0, f"see {logs / 'log'}"
                running.remove(process)
            time.sleep(0.02)
    return time.monotonic() - began


def by_executor(words: dict[str, tuple[str, ...]], save: Path, flags: dict) -> float:
    """Seconds of the same as jobs, the executor's own start included."""
    from vidsim.cluster.configs import ExecutorConfig
    from vidsim.cluster.job import Job
    from vidsim.cluster.run import job_runner, model_resources

    config, began = ExecutorConfig(**flags), time.monotonic()
    with job_runner(config, save, "benchmark") as runner:
        needed = model_resources(config, runner.executor)
        jobs = [Job(name, one, (), needed) for name, one in words.items()]
        assert runner.scheduler.run(jobs)
    return time.monotonic() - began


@contextmanager
def ray_cluster() -> Iterator[str]:
    """The address of a head without slots and two nodes with one each."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **memory})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, **memory)
        yield cluster.address
    finally:
        cluster.shutdown()


def finetunes(folder: Path, sides: Sequence[str], count: int, steps: int) -> None:
    """The table of finetunings."""
    rows, base = [], None

    def side(name: str, save: str, measure: Callable[[dict[str, tuple[str, ...]]], float]) -> None:
        nonlocal base
        seconds = measure(commands(folder, count, steps, save))
        base = base or seconds
        each = 1000 * (seconds - base) / count
        rows.append([name, f"{seconds:.0f}", f"{seconds / base:.3f}", f"{each:+.0f}"])
        print(rows[-1], flush=True)

    if "plain" in sides:
        side("plain, 2", "p", lambda words: plain([*words.values()], folder / "p" / "logs", 2))
    if "local" in sides:
        flags = {"executor": "local", "jobs": 2}
        side("local, 2", "l2", lambda words: by_executor(words, folder / "l2", flags))
    if "ray" in sides:
        with ray_cluster() as address:
            flags = {"executor": "ray", "address": address}
            side("ray, 2", "r", lambda words: by_executor(words, folder / "r", flags))
    if "one" in sides:
        one = {"executor": "local", "jobs": 1}
        side("local, 1", "l1", lambda words: by_executor(words, folder / "l1", one))
    print_table(["processes at a time", "s", "ratio", "ms a job beside the first"], rows)


def shards(folder: Path, count: int) -> None:
    """The table of embeddings by file."""
    from vidsim import write_videos

    for number in range(count):
        rows = [{"id": f"{number}-{k}", "title": f"视频 {number} {k}"} for k in range(2)]
        write_videos(folder / "shards" / f"s-{number:05d}.tfrecords", rows)
    checkpoint = next((folder / "p" / "finetune").glob("*/fold0"))
    words = ("embed", f"--checkpoint={checkpoint}", f"--videos={folder / 'shards'}")

    def measure(out: str, *more: str) -> float:
        began = time.monotonic()
        command = [*VIDSIM, *words, f"--out={folder / out}", *more]
        with (folder / "shards.log").open("ab") as log:
            subprocess.run(command, stdout=log, stderr=log, check=True)
        assert len(list((folder / out).glob("*.npz"))) == count
        return time.monotonic() - began

    times = {
        "one command": measure("o1", "--by-file"),
        "local, 2": measure("o2", "--executor=local", "--jobs=2"),
    }
    with ray_cluster() as address:
        times["ray, 2"] = measure("o3", "--executor=ray", f"--address={address}")
    for path in sorted((folder / "o1").glob("*.npz")):
        for other in ("o2", "o3"):
            assert path.read_bytes() == (folder / other / path.name).read_bytes(), path
    local = times["local, 2"]
    rows = [
        [name, f"{seconds:.1f}", f"{1000 * (seconds - local) / count:+.1f}"]
        for name, seconds in times.items()
    ]
    print_table([f"{count} shards", "s", "ms a shard beside local"], rows)


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--finetunes", type=int, default=66, help="how many (66)")
    parser.add_argument("--steps", type=int, default=10, help="updates of each (10)")
    parser.add_argument("--shards", type=int, default=1000, help="files to embed (1000)")
    known = ["plain", "local", "ray", "one"]
    parser.add_argument("--sides", nargs="+", choices=known, default=known)
    flags = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vidsim_executors_"))
    sample = [*VIDSIM, "write_tfrecord", "--make-sample", f"--data-dir={folder / 'data'}"]
    subprocess.run(sample, check=True, stdout=subprocess.DEVNULL)
    print(about("tensorflow", "ray"), f"load {os.getloadavg()[0]:.1f}; {folder}", flush=True)
    finetunes(folder, flags.sides, flags.finetunes, flags.steps)
    if flags.shards:
        shards(folder, flags.shards)


if __name__ == "__main__":
    main()
