"""The commands, run by path from somewhere else, with a stand-in for vidsim."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = ["write_tfrecord", "pretrain", "finetune", "inference", "ensemble"]
FAKE_CLI = """
def main(arguments):
    print(arguments)
    return 3
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """The commands alone, in a folder with a space in its name."""
    root = tmp_path / "check out"
    root.mkdir()
    for name in ("door.py", "write_tfrecord.py"):
        shutil.copy(ROOT / name, root)
    for stage in STAGES[1:]:
        shutil.copytree(ROOT / stage, root / stage)
    return root


def enter(checkout: Path, stage: str, *flags: str, python: tuple[str, ...], path: str = ""):
    """Runs a command; returns the finished process."""
    door = checkout / (f"{stage}.py" if stage == "write_tfrecord" else stage)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [*python, str(door), *flags],
        cwd=checkout.parent,
        env=environment | ({"PYTHONPATH": path} if path else {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


WITHOUT_PACKAGES = (sys.executable, "-S")


def install_fake(folder: Path, cli: str) -> str:
    package = folder / "packages" / "vidsim"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text(cli)
    return str(package.parent)


@pytest.mark.parametrize("stage", STAGES)
def test_a_door_runs_its_stage(checkout, tmp_path, stage):
    path = install_fake(tmp_path, FAKE_CLI)
    done = enter(checkout, stage, "--recipes", "mix", python=(sys.executable,), path=path)
    assert done.stdout == f"{[stage, '--recipes', 'mix']}\n", done.stderr
    assert done.returncode == 3


@pytest.mark.parametrize("stage", STAGES)
def test_a_python_without_vidsim_hands_over_to_the_environment(checkout, stage):
    """.venv/bin/python is a script here that prints its words and fails with 4."""
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 4\n")
    python.chmod(0o755)
    done = enter(checkout, stage, "--bert-dir", "a b", python=WITHOUT_PACKAGES)
    door, *flags = done.stdout.splitlines()
    assert Path(door).stem == stage
    assert flags == ["--bert-dir", "a b"]
    assert done.returncode == 4


def test_without_an_environment_it_says_what_to_type(checkout):
    done = enter(checkout, "finetune", python=WITHOUT_PACKAGES)
    assert done.returncode == 1
    assert f"sh '{checkout / 'setup.sh'}'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_environment_without_vidsim_does_not_hand_over_to_itself(monkeypatch):
    spec = importlib.util.spec_from_file_location("door", ROOT / "door.py")
    door = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(door)
    monkeypatch.setattr(door, "VENV", sys.prefix)
    with pytest.raises(SystemExit, match=r"setup\.sh"):
        door.hand_over()


def test_a_module_missing_inside_vidsim_is_not_taken_for_vidsim(checkout, tmp_path):
    path = install_fake(tmp_path, "import a_module_that_is_missing")
    done = enter(checkout, "ensemble", python=(sys.executable,), path=path)
    assert done.returncode == 1
    assert "No module named 'a_module_that_is_missing'" in done.stderr
