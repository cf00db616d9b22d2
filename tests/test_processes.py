"""Real processes: killed by the system, or at work side by side."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vidsim.cli import main
from vidsim.errors import FolderInUse
from vidsim.files import file_digest
from vidsim.records.sample import write_sample
from vidsim.records.video_table import load_videos

pytestmark = pytest.mark.slow

EAGERLY = """
import json, sys

import keras

from vidsim.cli import main
from vidsim.stages import finetune, pretrain

keras.Model.run_eagerly = property(lambda self: True, lambda self, value: None)
finetune.compiled = pretrain.compiled = lambda update: update
"""  # as this process runs them, see conftest.py
MAIN = EAGERLY + "sys.exit(main())"
ALL = EAGERLY + "sys.exit(max(main(flags) for flags in json.loads(sys.argv[1])))"
INDEX = """
import sys
from vidsim.records.video_table import load_videos

print("ready", flush=True)
sys.stdin.readline()
print(load_videos(sys.argv[1]).digest)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("processes") / "sample"
    write_sample(folder)
    return folder


def pretrain_flags(data: Path, save: Path) -> list[str]:
    flags = ["--data-dir", data, "--save-dir", save, "--size", "tiny", "--recipes", "uniter"]
    flags += ["--total-steps", 8, "--eval-freq", 3, "--print-freq", 2, "--batch-size", 8]
    return ["pretrain", *map(str, flags), "--save-seconds", "0"]


@pytest.fixture(scope="module")
def pretrained(data, tmp_path_factory) -> Path:
    """What a run leaves that nobody disturbed."""
    save = tmp_path_factory.mktemp("pretrained") / "save"
    assert main(pretrain_flags(data, save)) == 0
    return save


def test_killed_and_going_on(data, pretrained, tmp_path, capsys):
    """Stopped in the middle it refuses a second process; killed, it ends as if nothing had been."""
    flags = pretrain_flags(data, tmp_path / "killed")
    command = [sys.executable, "-u", "-c", MAIN, *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        while "step 2/8" not in first.stdout.readline():
            pass
        os.kill(first.pid, signal.SIGSTOP)
        capsys.readouterr()
        status = main(flags)
        first.kill()
    assert status == FolderInUse.status
    assert f"process {first.pid} on " in capsys.readouterr().err
    assert first.returncode == -signal.SIGKILL
    assert main(flags) == 0
    assert "goes on after step" in capsys.readouterr().out
    for name in ("checkpoints.json", "done.json"):
        runs = [run / "pretrain/uniter" / name for run in (pretrained, tmp_path / "killed")]
        assert file_digest(runs[0]) == file_digest(runs[1])
    weights = sorted(pretrained.rglob("model.safetensors"))
    assert weights
    for path in weights:
        other = tmp_path / "killed" / path.relative_to(pretrained)
        assert file_digest(path) == file_digest(other)
    assert not [path for path in (tmp_path / "killed").rglob("*") if path.suffix == ".tmp"]


def test_four_processes_make_the_same_index(data):
    """Begun at the same moment; each has the whole table, and one whole index is there."""
    file = data / "pairwise" / "pairwise.tfrecords"
    expected = load_videos(file).digest
    index = file.with_name(f"{file.name}.index.npz")
    index.unlink()
    command = [sys.executable, "-c", INDEX, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert {process.communicate()[0] for process in processes} == {f"{expected}\n"}
    with np.load(index) as columns:
        assert len(columns["ids"]) == 240
    assert not list(index.parent.glob(".*.tmp"))


def stage_flags(stage: str, data: Path, save: Path, folds: str) -> list[str]:
    flags = ["--data-dir", data, "--save-dir", save, "--size", "tiny", "--recipes", "uniter"]
    flags += ["--folds", folds]
    if stage == "finetune":
        flags += ["--total-steps", 2, "--eval-freq", 2, "--batch-size", 8]
    return [stage, *map(str, flags)]


def test_folds_in_two_processes_are_those_of_one(data, pretrained, tmp_path):
    """Fold 0 here, fold 1 there, at the same time and in the same folders."""
    assert main(["write_tfrecord", "--data-dir", str(data)]) == 0
    one, two = tmp_path / "one", tmp_path / "two"
    for save in (one, two):
        shutil.copytree(pretrained, save)
    stages = ("finetune", "inference")
    for stage in stages:
        assert main(stage_flags(stage, data, one, "0,1")) == 0
    both = [[stage_flags(stage, data, two, fold) for stage in stages] for fold in "01"]
    started = [subprocess.Popen([sys.executable, "-c", ALL, json.dumps(each)]) for each in both]
    assert [process.wait() for process in started] == [0, 0]
    files = sorted(one.rglob("inference/**/*.npz"))
    assert len(files) == 4  # of the test videos and of the fold's own, each
    for file in files:
        with np.load(file) as expected, np.load(two / file.relative_to(one)) as found:
            assert set(expected.files) == set(found.files) >= {"id", "embedding"}
            for name in expected.files:
                assert found[name].tobytes() == expected[name].tobytes(), (file, name)
