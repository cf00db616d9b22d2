"""How long would many machines take, and what would failures cost? A simulation, and its check.

    python benchmarks/cluster_simulation.py save/cluster/status.json    # a run that was measured
    python benchmarks/cluster_simulation.py --paper                     # those of docs/scale.md

The simulated scheduler is that of vidsim: jobs in their order, each when those that it needs are
done and a slot is free; one that is lost runs again from its last saved state. Times of jobs come
from a measured run, or from counted operations and the rates that are named below.

The check takes of a measured run only the mean time of a job of each stage, and compares the
simulated length of the run with the real one.
"""

import argparse
import heapq
import json
import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sides import print_table

HOUR = 3600.0


@dataclass(frozen=True)
class Work:
    """A job to be simulated.

    Attributes:
        name: as of the real ones, stage/recipe/fold.
        seconds: it takes, undisturbed.
        needs: names of others.
    """

    name: str
    seconds: float
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failures:
    """What goes wrong, and how much of the work it takes along.

    Attributes:
        per_hour: of one slot; 0: none.
        saved_every: seconds between saved states.
        start: seconds that a job needs before it works.
    """

    per_hour: float = 0.0
    saved_every: float = 300.0
    start: float = 30.0


@dataclass(frozen=True)
class Outcome:
    """A simulated run: its length, the slots' time at work, and what of that was lost; seconds."""

    length: float
    worked: float
    lost: float
    failures: int


def simulate(
    jobs: Sequence[Work], slots: int, failures: Failures = Failures(), seed: int = 0
) -> Outcome:
    """Runs jobs on so many slots."""
    chance, now, worked, lost, count = random.Random(seed), 0.0, 0.0, 0.0, 0
    left = {job.name: job.seconds for job in jobs}
    waiting, done = list(jobs), set[str]()
    running: list[tuple[float, str, float, bool]] = []  # end, job, start, whether it fails
    known = {job.name for job in jobs}
    by_name = {job.name: job for job in jobs}
    while waiting or running:
        for job in list(waiting):
            ready = all(name in done or name not in known for name in job.needs)
            if ready and len(running) < slots:
                waiting.remove(job)
                needed = left[job.name] + failures.start
                failing = (
                    chance.expovariate(failures.per_hour / HOUR) if failures.per_hour else 1e30
                )
                heapq.heappush(
                    running, (now + min(needed, failing), job.name, now, failing < needed)
                )
        now, name, began, failed = heapq.heappop(running)
        worked += now - began
        if not failed:
            done.add(name)
            continue
        count += 1
        made = max(now - began - failures.start, 0.0)
        kept = made // failures.saved_every * failures.saved_every
        lost += now - began - kept
        left[name] -= kept
        waiting.insert(0, by_name[name])
    return Outcome(now, worked, lost, count)


# --- A run that was measured ----------------------------------------------------------------------


def measured(path: Path) -> tuple[list[Work], float, int]:
    """The jobs of a run with their stage's mean time, the run's length, and the slots it had."""
    content = json.loads(path.read_text(encoding="utf-8"))
    jobs = {job["name"]: job for job in content["jobs"]}
    stages: dict[str, list[float]] = {}
    for name, job in jobs.items():
        stages.setdefault(name.partition("/")[0], []).append(job["seconds"])
    means = {stage: statistics.mean(times) for stage, times in stages.items()}
    found = [Work(name, means[name.partition("/")[0]], needs(name, jobs)) for name in jobs]
    busy = sum(job["seconds"] for job in jobs.values())
    length = content["ended"] - content["began"]
    return found, length, max(round(busy / length + 0.35), 1)


def needs(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """What a job waits for, by its name."""
    stage, _, rest = name.partition("/")
    if stage == "write_tfrecord":
        return ()
    if stage == "ensemble":
        return tuple(other for other in names if other != name)
    before = {"pretrain": "", "finetune": f"pretrain/{rest.partition('/')[0]}"}
    return tuple(filter(None, ("write_tfrecord", before.get(stage, f"finetune/{rest}"))))


def check(path: Path, slots: int | None) -> None:
    """Prints the real length of a run beside the simulated one."""
    jobs, length, found = measured(path)
    simulated = simulate(jobs, slots or found, Failures(start=0.0)).length
    row = [str(len(jobs)), str(slots or found), f"{length:.0f}", f"{simulated:.0f}"]
    row.append(f"{100 * (simulated / length - 1):+.1f} %")
    print_table(["jobs", "slots", "measured s", "simulated s", "difference"], [row])


# --- On paper -------------------------------------------------------------------------------------

PEAK, SHARE = 989e12, 0.35  # operations a second of an H100 in bfloat16, and what of it is reached
PRICE = 3.0  # of a machine with one GPU, an hour, in dollars
READ = {1: 1e9, 8: 1e9, 64: 1e9}  # bytes a second that a machine reads from shared storage
STORAGE = 20e9  # bytes a second that the storage gives to all machines together
FAILURES = 0.1  # of a machine, an hour: machines that may be taken away are cheap
PARAMETERS = {"uniter": 110e6, "mix": 125e6}
POSITIONS = 64  # of a video: words and frames


def finetunings() -> list[Work]:
    """66 finetunings at the published size: 4,000 updates of 128 pairs, three times forward."""
    operations = 3 * 2 * PARAMETERS["uniter"] * POSITIONS * 2 * 128 * 4000
    seconds = operations / (PEAK * SHARE)
    return [Work(f"finetune/{k % 6}/fold{k // 6}", seconds) for k in range(66)]


def embeddings(machines: int, models: int = 1) -> list[Work]:
    """10^8 videos in 10,000 files: the slower of reading and computing, as the two overlap."""
    videos = 10_000
    rate = min(READ[machines], STORAGE / machines)
    reading = videos * 32 * 1536 * 2 / rate
    computing = models * 2 * PARAMETERS["uniter"] * POSITIONS * videos / (PEAK * SHARE)
    return [Work(f"embed/{k}", max(reading, computing)) for k in range(10_000)]


def paper() -> None:
    """Prints the tables of docs/scale.md."""
    failures = Failures(FAILURES, 300.0, 60.0)
    rows = []
    for title, make in (("66 finetunings", lambda _: finetunings()), ("1e8 videos", embeddings)):
        for machines in (1, 8, 64):
            jobs = make(machines)
            start = Failures(FAILURES, 300.0, 60.0 if make is not embeddings else 0.05)
            found = simulate(jobs, machines, start)
            rows.append(
                [
                    title,
                    str(machines),
                    f"{found.length / HOUR:.2f}",
                    f"{machines * found.length / HOUR * PRICE:.0f}",
                    f"{100 * found.lost / found.worked:.2f} %",
                    str(found.failures),
                    f"{100 * found.worked / (machines * found.length):.0f} %",
                ]
            )
    header = ["work", "machines", "hours", "dollars", "done twice", "failures", "slots at work"]
    print(f"a failure each {1 / failures.per_hour:.0f} hours of a machine")
    print_table(header, rows)


def main() -> None:
    """Checks runs, or prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, help="status.json of measured runs")
    parser.add_argument("--slots", type=int, help="that the measured run had")
    parser.add_argument("--paper", action="store_true", help="print the tables of docs/scale.md")
    flags = parser.parse_args()
    for path in flags.runs:
        check(path, flags.slots)
    if flags.paper:
        paper()


if __name__ == "__main__":
    main()
