"""Jobs as processes of this machine: slots, logs, ends, and that none outlives its parent."""

import os
import subprocess
import sys
import time

import pytest

from vidsim.cluster import local, process
from vidsim.cluster.configs import ExecutorConfig
from vidsim.cluster.job import End, Job, Resources
from vidsim.cluster.local import LocalExecutor
from vidsim.errors import VidsimError


def make(tmp_path, monkeypatch, gpus=(), **flags):
    monkeypatch.setattr(local, "visible_gpus", lambda: list(gpus))
    return LocalExecutor(ExecutorConfig("local", **flags), tmp_path)


def ended(executor, count=1):
    found, deadline = [], time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        found += executor.poll()
        time.sleep(0.02)
    return found


@pytest.fixture
def sleeping(monkeypatch):
    """Every job sleeps in place of running vidsim."""
    monkeypatch.setattr(process, "COMMAND", ("-c", "import time; time.sleep(60)"))


def test_a_job_runs_and_its_log_has_what_it_said(tmp_path, monkeypatch):
    executor = make(tmp_path, monkeypatch)
    executor.submit(Job("some/version", ("--version",)))
    (attempt,) = ended(executor)
    assert attempt.end is End.DONE and attempt.job == "some/version" and attempt.seconds > 0
    log = (tmp_path / "some" / "version.log").read_text()
    assert log.startswith("== ") and "vidsim --version" in log and "keras" in log
    assert process.last_lines(tmp_path, "some/version", 3)[0].startswith("vidsim ")
    assert executor.poll() == [] and not process.running_mark(tmp_path, "some/version").exists()


def test_a_wrong_command_fails_and_says_why(tmp_path, monkeypatch):
    executor = make(tmp_path, monkeypatch)
    executor.submit(Job("wrong", ("finetun",)))
    (attempt,) = ended(executor)
    assert attempt.end is End.FAILED and attempt.reason == "exit status 2"
    assert "'finetun' is not a command" in process.last_lines(tmp_path, "wrong", 99)[0]


def test_a_log_keeps_all_attempts_and_the_last_one_is_shown(tmp_path, monkeypatch):
    executor = make(tmp_path, monkeypatch)
    for words in (("finetun",), ("--version",)):
        executor.submit(Job("one", words))
        ended(executor)
    assert (tmp_path / "one.log").read_text().count("== ") == 2
    assert "not a command" not in "".join(process.last_lines(tmp_path, "one", 99))


@pytest.mark.usefixtures("sleeping")
def test_slots_limit_what_runs_side_by_side(tmp_path, monkeypatch):
    executor = make(tmp_path, monkeypatch, jobs=2)
    assert executor.slots == 2
    for name in "ab":
        assert executor.has_room(Job(name, ()))
        executor.submit(Job(name, (), resources=Resources(executor.cpus_per_job)))
    assert not executor.has_room(Job("c", ()))
    assert set(executor.running()) == {"a", "b"}
    executor.cancel("a")
    (attempt,) = ended(executor)
    assert attempt.end is End.LOST and executor.has_room(Job("c", ()))
    executor.close()
    assert executor.running() == {}


@pytest.mark.usefixtures("sleeping")
def test_each_job_has_gpus_of_its_own(tmp_path, monkeypatch):
    given = []
    start = process.start
    monkeypatch.setattr(process, "start", lambda *a: given.append(a[4]) or start(*a))
    executor = make(tmp_path, monkeypatch, gpus=("0", "1", "2"))
    assert executor.slots == 3 and executor.has_gpus
    two, half = Resources(0.1, 2), Resources(0.1, 0.5)
    executor.submit(Job("two", (), resources=two))
    assert not executor.has_room(Job("another", (), resources=two))
    for name in ("one", "other"):
        assert executor.has_room(Job(name, (), resources=half))
        executor.submit(Job(name, (), resources=half))
    visible = [environment["CUDA_VISIBLE_DEVICES"] for environment in given]
    assert visible == ["0,1", "2", "2"]
    assert "TF_FORCE_GPU_ALLOW_GROWTH" in given[1] and "TF_FORCE_GPU_ALLOW_GROWTH" not in given[0]
    executor.close()


@pytest.mark.usefixtures("sleeping")
def test_memory_limits_too_and_what_can_never_fit_is_refused(tmp_path, monkeypatch):
    executor = make(tmp_path, monkeypatch, jobs=4)
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    needed = Resources(0.1, 0, 0.6 * most)
    executor.submit(Job("a", (), resources=needed))
    assert not executor.has_room(Job("b", (), resources=needed))
    with pytest.raises(VidsimError, match="this machine has"):
        executor.has_room(Job("c", (), resources=Resources(1, 0, 2 * most)))
    with pytest.raises(VidsimError, match="0 GPUs"):
        executor.has_room(Job("c", (), resources=Resources(1, 1)))
    executor.close()


def test_a_job_does_not_outlive_the_process_that_started_it(tmp_path):
    """The parent is killed; its job, which waits for ever, ends by itself."""
    child = "from vidsim.cluster.process import end_with_parent as e; e(); import time; "
    child += "print('ready', flush=True); time.sleep(600)"
    parent = (
        "import sys, time\nfrom pathlib import Path\nfrom vidsim.cluster import process\n"
        f"process.COMMAND = ('-c', {child!r})\n"
        f"started = process.start(Path({str(tmp_path)!r}), 'job', [], 'here', {{}})\n"
        "print(started.pid, flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    ) as running:
        number = int(running.stdout.readline())
        wait_for(lambda: "ready" in (tmp_path / "job.log").read_text())
        running.kill()
    wait_for(lambda: not lives(number))


def wait_for(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lives(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{number}/stat") as file:  # a zombie that nobody waits for has ended
        return file.read().split(") ")[1][0] != "Z"


def test_a_cancelled_job_gets_sigterm_and_may_save_its_state(tmp_path, monkeypatch):
    saving = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); "
    saving += "print('ready', flush=True); time.sleep(60)"
    monkeypatch.setattr(process, "COMMAND", ("-c", saving))
    executor = make(tmp_path, monkeypatch)
    executor.submit(Job("a", ()))
    wait_for(lambda: "ready" in (tmp_path / "a.log").read_text())
    executor.cancel("a")
    (attempt,) = ended(executor)
    assert attempt.reason == "exit status 3"
