"""One process at a time on a folder; the lock of a dead one is gone."""

import os
import re
import subprocess
import sys

import pytest

from vidsim.errors import VidsimError
from vidsim.files import atomic_file, remove_leftovers, write_folder
from vidsim.locks import sole_process

HOLD = """
import sys, time
from pathlib import Path
from vidsim.files import atomic_file
from vidsim.locks import sole_process
with sole_process(Path(sys.argv[1])), atomic_file(Path(sys.argv[1] + ".npz")) as file:
    file.write(b"half")
    file.flush()
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that works on tmp_path/run and writes tmp_path/run.npz."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_the_first_named(holder, tmp_path):
    message = rf"{tmp_path}/run: process {holder.pid} on \S+ is at work here; wait"
    with pytest.raises(VidsimError, match=message), sole_process(tmp_path / "run"):
        pytest.fail("two processes in one folder")
    with sole_process(tmp_path / "run2"):  # side by side
        pass


def test_a_killed_process_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    with sole_process(tmp_path / "run"):
        text = (tmp_path / ".run.lock").read_text()
        assert re.fullmatch(rf"process {os.getpid()} on \S+", text)


def test_what_a_living_process_writes_is_no_leftover(holder, tmp_path):
    (half,) = tmp_path.glob(".run.npz.*.tmp")
    remove_leftovers(tmp_path)
    with atomic_file(tmp_path / "run.npz") as file:
        file.write(b"whole")
    assert half.exists()
    holder.kill()
    holder.wait()
    assert half.exists()
    with atomic_file(tmp_path / "run.npz") as file:
        file.write(b"again")
    assert not half.exists()
    assert (tmp_path / "run.npz").read_bytes() == b"again"


def test_leftovers_of_a_folder(tmp_path):
    left = tmp_path / f".ckpt-1.{'0' * 32}.tmp"
    (left / "deep").mkdir(parents=True)
    other = tmp_path / f".ckpt-11.{'0' * 32}.tmp"
    other.mkdir()
    with write_folder(tmp_path / "ckpt-1") as new:
        (new / "weights").write_text("w")
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "ckpt-1"]
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt-1"]


def test_the_same_folder_by_another_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (
        sole_process(tmp_path / "run"),
        pytest.raises(VidsimError),
        sole_process(tmp_path.__class__("run")),
    ):
        pass


def test_where_nothing_may_be_written_nobody_needs_a_lock(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with sole_process(tmp_path / "run"):
        pass
    assert list(tmp_path.iterdir()) == []
