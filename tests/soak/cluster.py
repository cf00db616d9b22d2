"""Kills workers, nodes, the driver and the head of a Ray cluster, and compares the results.

    sh setup.sh ray && .venv/bin/python tests/soak/cluster.py --kills 60 --minutes 40

A head and three nodes on this machine run all stages on made data, small models. At random moments
a job's process, its Ray worker, a node, the driver (the command itself) or the head is killed by
SIGKILL. Nodes come back, and a command that ended is given again. In the end embeddings and
result.zip must be those of a run without cluster and kills, to the last bit. Counted are updates
that were done twice, and how long a new driver takes until it has a job at work.
"""

import argparse
import json
import os
import random
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ |= {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}  # a driver without its head ends
compare = runpy.run_path(str(Path(__file__).with_name("kill.py")))["compare"]
VIDSIM = (sys.executable, "-m", "vidsim")
NODES, MEMORY = 3, {"object_store_memory": 80_000_000}
KINDS = ("job", "worker", "node", "driver", "head")
SHARES = (30, 30, 20, 12, 8)  # of a hundred kills
_STEP = re.compile(r"step (\d+)/(\d+)")
_ON = re.compile(r"goes on (?:after|from|at) step (\d+)")
RECIPE = """from vidsim.recipes import mix


def recipe():
    often = {{"print_freq": 1, "save_seconds": 0.3, "eval_freq": {eval_freq}}}
    steps = {{"total_steps": {steps}, "epochs": 1000, **often}}
    return mix.recipe().but(pretrain=steps, finetune=steps)
"""


class Machines:
    """The cluster, and what can be killed of it."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A head without slots, and nodes with one each."""
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **MEMORY})
        self.nodes = [self.cluster.add_node(num_cpus=1, **MEMORY) for _ in range(NODES)]

    def kill_node(self, chance: random.Random) -> None:
        """One of them dies, and another takes its place."""
        node = self.nodes.pop(chance.randrange(NODES))
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self.cluster.add_node(num_cpus=1, **MEMORY))

    def kill_head(self) -> None:
        """With it the cluster is gone; there is a new one."""
        self.cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
        self.end()
        self.start()

    def end(self) -> None:
        """Everything is gone."""
        for node in [*self.nodes, self.cluster.head_node]:
            node.kill_all_processes(check_alive=False, allow_graceful=False)
        self.cluster.shutdown()


class Run:
    """The command, given again and again."""

    def __init__(self, folder: Path, flags: list[str]):
        self.folder, self.flags = folder, flags
        self.process: subprocess.Popen[bytes] | None = None
        self.starts: list[float] = []  # seconds from each start to its first job
        self._began, self._marked = 0.0, set[str]()

    def start(self, address: str) -> None:
        """Gives the command."""
        self._marked = set(self.jobs())
        command = [*VIDSIM, "run", *self.flags, "--executor=ray", f"--address={address}"]
        with (self.folder / "driver.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self._began = time.monotonic()

    def look(self) -> None:
        """Notes when the first job of a new driver is at work."""
        if self._began and set(self.jobs()) - self._marked:
            self.starts.append(time.monotonic() - self._began)
            self._began = 0.0

    def jobs(self) -> dict[str, int]:
        """What runs: mark and process."""
        found = {}
        for mark in (self.folder / "save" / "logs").rglob(".*.running"):
            try:
                process = json.loads(mark.read_text())["process"]
                os.kill(process, 0)
            except (OSError, ValueError):
                continue
            found[f"{mark} {process}"] = process
        return found

    def done_twice(self) -> tuple[int, int]:
        """Updates that were done twice, and all that were needed."""
        twice = needed = 0
        for log in (self.folder / "save" / "logs").rglob("*.log"):
            reached = total = 0
            for attempt in log.read_text(errors="replace").split("== ")[1:]:
                begun = max((int(step) for step in _ON.findall(attempt)), default=0)
                steps = [(int(a), int(b)) for a, b in _STEP.findall(attempt)]
                if steps:
                    twice += max(reached - begun, 0)
                    reached, total = max(step for step, _ in steps), steps[0][1]
            needed += total
        return twice, needed


def parent_of(process: int) -> int:
    """The number of a process's parent."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def kill_one(kind: str, machines: Machines, run: Run, chance: random.Random) -> bool:
    """Kills one of a kind; False where there is none now."""
    assert run.process is not None
    jobs = list(run.jobs().values())
    if kind == "driver":
        run.process.kill()
    elif kind == "head":
        machines.kill_head()
    elif not jobs:
        return False
    elif kind == "node":
        machines.kill_node(chance)
    else:
        try:
            job = chance.choice(jobs)
            os.kill(job if kind == "job" else parent_of(job), signal.SIGKILL)
        except (OSError, ValueError):
            return False
    return True


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=60, help="how many (60)")
    parser.add_argument("--minutes", type=float, default=40, help="no new kills after (40)")
    parser.add_argument("--folds", default="all", help="comma list (all)")
    parser.add_argument("--steps", type=int, default=400, help="of each training (400)")
    parser.add_argument("--seconds", type=float, default=12, help="between kills, mean (12)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills (0)")
    return parser.parse_args()


def run_killed(run: Run, machines: Machines, flags: argparse.Namespace) -> Counter[str]:
    """Gives the command until it is done, and kills; returns how many of each kind."""
    chance, kills, began = random.Random(flags.seed), Counter[str](), time.monotonic()
    due = began + chance.expovariate(1 / flags.seconds)
    while run.process is None or run.process.poll() != 0:
        if run.process is None or run.process.poll() is not None:
            run.start(machines.cluster.address)
        run.look()
        late = kills.total() >= flags.kills or time.monotonic() - began > 60 * flags.minutes
        if time.monotonic() > due and not late:
            kind = chance.choices(KINDS, SHARES)[0]
            kills[kind] += kill_one(kind, machines, run, chance)
            due = time.monotonic() + chance.expovariate(1 / flags.seconds)
        time.sleep(0.1)
    return kills


def main() -> None:
    """Kills until the run is done; then compares."""
    flags, folder = parse(), Path(tempfile.mkdtemp(prefix="vidsim_soak_"))
    recipe = folder / "often.py"
    recipe.write_text(RECIPE.format(steps=flags.steps, eval_freq=flags.steps // 4))
    common = ["--size=tiny", f"--recipes={recipe}", f"--folds={flags.folds}", "--make-sample"]

    def places(name: str) -> list[str]:
        (folder / name).mkdir()
        return [
            *(f"--data-dir={folder / name / 'data'}", f"--save-dir={folder / name / 'save'}"),
            f"--output-zip={folder / name / 'result.zip'}",
        ]

    print(f"in {folder}; first a run in peace", flush=True)
    peace = [*VIDSIM, "run", *places("peace"), *common, "--executor=local", "--jobs=2"]
    with (folder / "peace.log").open("wb") as log:
        subprocess.run(peace, check=True, stdout=log, stderr=log)
    print("the run in peace is done", flush=True)
    run, machines, began = (
        Run(folder / "killed", [*places("killed"), *common]),
        Machines(),
        time.time(),
    )
    kills = run_killed(run, machines, flags)
    machines.end()
    compared = compare(folder / "killed", folder / "peace")
    twice, needed = run.done_twice()
    print(
        f"PASSED: {kills.total()} kills ({', '.join(f'{n} {k}' for k, n in kills.items())}) in "
        f"{time.time() - began:.0f} s, {compared} files of embeddings and result.zip equal; "
        f"{twice} of {needed} updates done twice ({100 * twice / needed:.1f} %); a new driver was "
        f"at work after {max(run.starts):.1f} s at most"
    )


if __name__ == "__main__":
    main()
