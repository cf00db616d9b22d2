"""Kills every stage again and again at random moments, and compares with a run left in peace.

    python tests/soak/kill.py --kills 100 --minutes 60

Made data, small models. Each round goes from no data to result.zip in folders of its own; a stage
that was killed gets the same command again until it ends. Embeddings and result.zip must then be
those of the undisturbed run, to the last bit, and nothing may be left lying about.
"""

import argparse
import itertools
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

STAGES = ("write_tfrecord", "pretrain", "finetune", "inference", "ensemble")
MOST = dict(zip(STAGES, (2, 5, 5, 3, 1), strict=True))  # kills of one stage in a round
SHORT = ("--total-steps", "12", "--eval-freq", "5", "--print-freq", "4", "--save-seconds", "0.5")
MAIN = "import sys; from vidsim.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Soak:
    """One set of flags for all rounds."""

    recipes: str
    folds: str
    finetune: tuple[str, ...] = ()

    def start(self, stage: str, folder: Path) -> subprocess.Popen:
        """The stage's process; what it says is appended to a file in the folder."""
        flags = ["--data-dir", folder / "data", "--save-dir", folder / "save"]
        flags += ["--output-zip", folder / "result.zip", "--size", "tiny"]
        flags += ["--recipes", self.recipes, "--folds", self.folds]
        flags += {
            "write_tfrecord": ["--make-sample"],
            "pretrain": SHORT,
            "finetune": (*SHORT, *self.finetune),
        }.get(stage, [])
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-c", MAIN, stage, *map(str, flags)]
        with (folder / "log.txt").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def run_in_peace(self, folder: Path) -> dict[str, float]:
        """Runs every stage; returns how many seconds each took."""
        seconds = {}
        for stage in STAGES:
            began = time.monotonic()
            check(self.start(stage, folder).wait() == 0, folder, f"{stage} failed")
            seconds[stage] = time.monotonic() - began
        return seconds

    def run_killed(
        self, stage: str, folder: Path, usual: float, chance: random.Random, most: int
    ) -> int:
        """Runs one stage until it ends by itself; returns how often it was killed."""
        for kills in itertools.count():
            process = self.start(stage, folder)
            try:
                patience = chance.uniform(0, 1.1 * usual) if kills < most else None
                check(process.wait(patience) == 0, folder, f"{stage} failed after {kills} kills")
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            else:
                return kills
        raise AssertionError


def check(fine: bool, folder: Path, problem: str) -> None:
    """Ends the soak with the last lines of the log."""
    if not fine:
        lines = (folder / "log.txt").read_text(errors="replace").splitlines()[-30:]
        sys.exit("\n".join([*lines, f"FAILED: {problem}; see {folder}"]))


def compare(found: Path, expected: Path) -> int:
    """Bit for bit; returns how many files of embeddings were compared."""
    members = sorted(path.relative_to(expected) for path in expected.rglob("inference/**/*.npz"))
    for member in members:
        with np.load(found / member) as one, np.load(expected / member) as other:
            for key in ("id", "embedding"):
                same = one[key].tobytes() == other[key].tobytes()
                check(same, found, f"{member}: {key} differs")
    same = (found / "result.zip").read_bytes() == (expected / "result.zip").read_bytes()
    check(same, found, "result.zip differs")
    left = [path for path in found.rglob("*") if path.name.endswith(".tmp")]
    left += [*found.rglob("state-*"), *found.rglob("*.parts")]
    check(not left, found, f"left lying about: {left}")
    return len(members)


def main() -> None:
    """Rounds until there are enough kills or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many (100)")
    parser.add_argument("--minutes", type=float, default=60, help="no new kills after (60)")
    parser.add_argument("--recipes", default="mix", help="comma list (mix)")
    parser.add_argument("--folds", default="0,1", help="comma list (0,1)")
    parser.add_argument("--finetune", default="", help="more flags of finetune, in quotes")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills (0)")
    flags = parser.parse_args()
    soak = Soak(flags.recipes, flags.folds, tuple(flags.finetune.split()))
    chance = random.Random(flags.seed)
    folder = Path(tempfile.mkdtemp(prefix="vidsim_soak_"))
    print(f"in {folder}; first a run in peace", flush=True)
    began, kills, compared = time.monotonic(), 0, 0
    usual = soak.run_in_peace(folder / "peace")
    print("  ".join(f"{stage} {seconds:.0f} s" for stage, seconds in usual.items()), flush=True)
    while kills < flags.kills and time.monotonic() - began < 60 * flags.minutes:
        place = folder / f"killed_after_{kills}"
        counts = {}
        for stage in STAGES:
            late = time.monotonic() - began > 60 * flags.minutes
            most = 0 if late else min(MOST[stage], flags.kills - kills)
            counts[stage] = soak.run_killed(stage, place, usual[stage], chance, most)
            kills += counts[stage]
        compared += compare(place, folder / "peace")
        print(f"{kills} kills, the same results: {counts}", flush=True)
    print(f"PASSED: {kills} kills, {compared} files of embeddings and every result.zip equal")


if __name__ == "__main__":
    main()
