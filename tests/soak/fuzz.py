"""Fuzzes every reader of bytes that others wrote, guided by coverage, for as long as is asked.

    sh setup.sh soak && .venv/bin/python tests/soak/fuzz.py --inputs 1000000

Begins with tests/fuzz/corpus. A target has a process of its own; where that hangs, crashes or takes
too much memory, the input is kept under --findings, as is one that raises another error than a
VidsimError, and another process goes on. What is found belongs into tests/fuzz/corpus when it is
mended. Of HDF5's library it is known that it crashes and hangs: vidsim gives it a process of its
own, which the fuzzed one stands for, and its ends are counted.
"""

import argparse
import mmap
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))
STATS = struct.Struct("<QQQ")  # inputs, resident bytes after the first ones, most of them since
WARM_UP, LOOK = 5000, 500  # inputs
MEGABYTES, SECONDS = 2048, 10
PAGE = os.sysconf("SC_PAGE_SIZE")


# --- A process that fuzzes one target -------------------------------------------------------------


def work(name: str, folder: Path, findings: Path, flags: list[str]) -> None:
    """Never returns: libFuzzer ends the process after its runs, or at a crash."""
    with atheris.instrument_imports(include=["vidsim", "pickletools", "zipfile"]):
        from fuzz_targets import Runner, seeds
    from fuzz_mutations import Mutator

    runner, known = Runner(name, folder / "input"), set()
    target = runner.target
    mutator = Mutator(seeds(name), target.format, target.tokens, Random())
    with (folder / "stats").open("r+b") as file:
        stats = mmap.mmap(file.fileno(), STATS.size)

    def one_input(content: bytes) -> None:
        count_input(stats)
        try:
            if target.ends_process:
                signal.setitimer(signal.ITIMER_PROF, 0.3)  # ends this one, too
            runner(content)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            if (kind := (type(error), place.filename, place.lineno)) not in known:
                known.add(kind)
                keep(findings, name, content, traceback.format_exc())

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        mutator.random.seed(seed)
        # Coverage sees nothing of HDF5's library, and would go on with the least of its files.
        if seed % 3 == 0 or target.ends_process:
            return mutator.next()[:most]
        return mutator.changed(data)[:most] if seed % 3 == 1 else atheris.Mutate(data, most)

    corpus = [str(folder / "corpus"), str(Path(sys.path[0]) / "corpus" / name)]
    atheris.Setup([sys.argv[0], *flags, *corpus], one_input, custom_mutator=mutated)
    atheris.Fuzz()


def count_input(stats: mmap.mmap) -> None:
    """Notes one input more, and now and then the memory."""
    count, first, most = STATS.unpack_from(stats)
    if count % LOOK == 0 and count >= WARM_UP:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
        first, most = first or resident, max(most, resident)
    STATS.pack_into(stats, 0, count + 1, first, most)


def keep(findings: Path, name: str, content: bytes, reason: str) -> None:
    """Writes an input and what it did; the name tells the target."""
    findings.mkdir(parents=True, exist_ok=True)
    path = findings / f"{name}-{len(list(findings.glob(f'{name}-*.txt')))}"
    path.write_bytes(content)
    path.with_suffix(".txt").write_text(reason, encoding="utf-8")
    print(f"FINDING {path}: {reason.strip().splitlines()[-1][:200]}", flush=True)


# --- The one that looks after it ------------------------------------------------------------------


def fuzz(name: str, flags: argparse.Namespace, folder: Path, findings: Path) -> str:
    """One process after the other until there are enough inputs; returns a line of the table."""
    from fuzz_targets import TARGETS, seeds

    longest = max(4096, 2 * max(map(len, seeds(name))))
    for place in ("corpus", "input"):
        (folder / place).mkdir(parents=True)
    (folder / "stats").write_bytes(bytes(STATS.size))
    may_end, ends, growth, began = TARGETS[name].ends_process, 0, 0, time.monotonic()
    before = len(list(findings.glob("*.txt")))
    while True:
        count, first, most = STATS.unpack((folder / "stats").read_bytes())
        (folder / "stats").write_bytes(STATS.pack(count, 0, 0))
        growth = max(growth, most - first)
        left = 60 * flags.minutes - (time.monotonic() - began)
        if count >= flags.inputs or left <= 1:
            break
        run = [f"-runs={flags.inputs - count}", f"-max_total_time={int(left)}", "-verbosity=0"]
        run += [f"-max_len={longest}", f"-rss_limit_mb={MEGABYTES}", "-detect_leaks=0"]
        run += [f"-timeout={SECONDS}", f"-artifact_prefix={folder}/ended-"]
        command = [sys.executable, __file__, "--worker", name, str(folder), str(findings), *run]
        with (folder / "log").open("ab") as log:
            status = subprocess.run(command, stdout=log, stderr=log).returncode
        ends += status != 0
        if status and not may_end:
            lines = (folder / "log").read_text(errors="replace").splitlines()[-30:]
            made = [*folder.glob("ended-*")]
            for path in made:
                keep(findings, name, path.read_bytes(), "\n".join([*lines, f"status {status}"]))
                path.unlink()
            if not made or ends >= 10:
                print("\n".join(lines))
                break
    found = len(list(findings.glob("*.txt"))) - before
    new, rate = len(list((folder / "corpus").iterdir())), count / (time.monotonic() - began)
    line = f"{name:13}{count:10,} inputs {rate:7,.0f}/s {new:6} new in corpus"
    crashes = f", {ends} ends of the process" if may_end else ""
    return f"{line} {growth / 2**20:6.0f} MiB growth {found:4} findings{crashes}"


def main() -> None:
    """Fuzzes one target after the other; status 1 if there are findings."""
    if sys.argv[1:2] == ["--worker"]:
        name, folder, findings, *flags = sys.argv[2:]
        work(name, Path(folder), Path(findings), flags)
    from fuzz_targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of each target (1000000)")
    parser.add_argument("--minutes", type=float, default=60, help="most for each target (60)")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--findings", type=Path, help="where they are kept (a new folder)")
    parser.add_argument("--corpus", type=Path, help="where new inputs are kept (nowhere)")
    flags = parser.parse_args()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="vidsim_fuzz_", dir=memory))
    findings = (flags.findings or folder / "findings").resolve()
    findings.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in flags.targets:
        lines.append(fuzz(name, flags, folder / name, findings))
        print(lines[-1], flush=True)
        if flags.corpus:
            shutil.copytree(folder / name / "corpus", flags.corpus / name, dirs_exist_ok=True)
        shutil.rmtree(folder / name)
    found = list(findings.glob("*.txt"))
    print(f"{len(found)} findings in {findings}" if found else "no findings")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
