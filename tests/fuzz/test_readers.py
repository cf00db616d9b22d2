"""Whatever bytes come, a reader answers or refuses: soon, in little memory, with no other error.

The inputs that are kept, some thousands that are made of them, and long ones, for every reader. The
same at length: tests/soak/fuzz.py.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from fuzz_mutations import Mutator, blown_up
from fuzz_targets import CORPUS, TARGETS, Runner, seeds
from vidsim.errors import VidsimError
from vidsim.pretrained.hdf5_file import read_hdf5_file

SECONDS, MEGABYTES = 4, 64
INPUTS, LONG_INPUTS, LONG_BYTES = 3000, 200, 1 << 16
NAMES = [name for name, target in TARGETS.items() if not target.ends_process]


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """What takes too long fails, also where a reader would take any error for damage."""

    class TooLongError(BaseException):
        pass

    def stop(*_):
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def resident(key: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at most since `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:"))


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def outcomes(run: Callable[[bytes], bool], inputs: Iterator[bytes]) -> Counter:
    """How many were read (True) and refused (False); no memory is left taken, nor taken for one."""
    forget_peak()
    before = resident("VmRSS")
    counts = Counter()
    for content in inputs:
        try:
            with time_limit():
                counts[run(content)] += 1
        except BaseException as error:
            error.add_note(f"{len(content)} bytes: {content[:2000]!r}")
            raise
    assert resident("VmHWM") - before < MEGABYTES
    return counts


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory, where the system has that: thousands of files are written."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


@pytest.fixture
def run(request, folder) -> Runner:
    return Runner(request.param, folder)


EACH = pytest.mark.parametrize("run", NAMES, indirect=True)


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_are_kept_for_every_reader(name):
    assert seeds(name)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 60_000


@EACH
def test_kept_inputs(run):
    """Those called bad are refused, the others are read."""
    for path in sorted((CORPUS / run.name).iterdir()):
        content = path.read_bytes()
        assert outcomes(run, iter([content])) == {not path.name.startswith("bad"): 1}, path.name


@EACH
def test_changed_inputs(run):
    random = Random(run.name)
    mutator = Mutator(seeds(run.name), run.target.format, run.target.tokens, random)
    is_index = run.name == "index"  # has many members; and is replaced where it is refused
    count = INPUTS // 3 if is_index else INPUTS
    counts = outcomes(run, (mutator.next() for _ in range(count)))
    assert counts[True] >= count // 200
    assert counts[False] >= count // 200 or is_index


@EACH
def test_long_inputs(run):
    """Numbers of 65,536 digits, brackets as deep, words as often: what takes time by the square."""
    target, kept = run.target, seeds(run.name)
    counts = outcomes(run, blown_up(kept, target.format, target.tokens, LONG_BYTES, LONG_INPUTS))
    assert counts.total() >= 100


# --- HDF5, in processes of its own ----------------------------------------------------------------


def test_hdf5_in_a_process_that_it_may_end(folder):
    """Its library hangs on about one input in 400; everything else is read or refused."""
    program = Path(__file__).with_name("fuzz_process.py")
    said, number, wanted, ends = Counter(), 0, 1000, 0
    while number < wanted:
        command = [sys.executable, str(program), "hdf5", str(folder), str(number)]
        done = subprocess.run([*command, str(wanted - number)], capture_output=True, text=True)
        assert done.returncode <= 0, done.stderr  # its own end, or a signal's
        *_, last = (word for word in done.stdout.split() if word.isdigit())
        said.update(done.stdout.split())
        number, ends = int(last) + 1, ends + (done.returncode != 0)
    assert said["read"] + said["refused"] + ends == wanted
    assert min(said["read"], said["refused"]) > 20


def test_hdf5_is_read_in_a_process_that_it_may_end(tmp_path):
    """Kept inputs through the entry that vidsim uses; those in the second folder end a process."""
    path = tmp_path / "tf_model.h5"
    for content in seeds("hdf5"):
        path.write_bytes(content)
        assert len(read_hdf5_file(path)) == 2
    assert seeds("hdf5_ended")
    for content in seeds("hdf5_ended"):
        path.write_bytes(content)
        with pytest.raises(VidsimError, match=r"tf_model\.h5: not a whole HDF5 file \(its library"):
            read_hdf5_file(path, seconds=1)
