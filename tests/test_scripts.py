"""The shell scripts, run for real around a Python that only writes down how it was called.

Nothing is installed and nothing trained: the stub stands for python3, for .venv/bin/python and for
pip. The copy of the tree lies in a folder with a space in its name, and every script is called from
somewhere else.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path.name for path in ROOT.glob("*.sh"))
SHELLS = [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)]
SHELL = "dash" if "dash" in SHELLS else "sh"
COMMANDS = ["write_tfrecord.py", "pretrain", "finetune", "inference", "ensemble"]

# A call is logged, its words in <>. It fails at STUB_FAIL, and kills its caller at STUB_KILL.
STUB = r"""#!/bin/sh
{ for word; do printf '<%s>' "$word"; done; echo; } >>"$STUB_LOG"
for word; do [ "$word" != "${STUB_KILL:-}" ] || kill -9 $PPID; done
for word; do [ "$word" != "${STUB_FAIL:-}" ] || exit "${STUB_STATUS:-1}"; done
case "$1 ${2:-}" in
    "--version "*) echo "${STUB_VERSION:-Python 3.11.7}" ;;
    "-c "*sys.version_info*) [ -z "${STUB_VERSION:-}" ] ;;
    "-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""


class Tree:
    """A copy of what the scripts need, with the stub as the only Python."""

    def __init__(self, folder: Path):
        self.root = folder / "check out"
        self.elsewhere = folder / "elsewhere"
        self.log = folder / "calls"
        self.environment = os.environ | {
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "CDPATH": str(folder),  # a `cd` that heeds it prints, or lands elsewhere
            "STUB_LOG": str(self.log),
        }
        self.environment.pop("PYTHON", None)
        for path in (self.root, self.elsewhere, folder / "bin"):
            path.mkdir()
        for name in [*SCRIPTS, "pyproject.toml"]:
            shutil.copy(ROOT / name, self.root)
        for name in (".ci", "requirements"):
            shutil.copytree(ROOT / name, self.root / name)
        stub = folder / "bin" / "python3"
        stub.write_text(STUB)
        stub.chmod(0o755)

    def run(self, script: str, *arguments: str, shell: str = SHELL, **environment: str):
        """Runs a script; returns the finished process and the calls of Python it made."""
        self.log.write_text("")
        done = subprocess.run(
            [shell, str(self.root / script), *arguments],
            cwd=self.elsewhere,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done, self.log.read_text().splitlines()


@pytest.fixture
def fresh(tmp_path) -> Tree:
    """A tree as cloned."""
    return Tree(tmp_path)


@pytest.fixture
def tree(fresh) -> Tree:
    """A tree that is set up, with a data set in data/."""
    done, _ = fresh.run("setup.sh")
    assert done.returncode == 0, done.stderr
    (fresh.root / "data" / "pairwise").mkdir(parents=True)
    return fresh


def call(*words: str) -> str:
    return "".join(f"<{word}>" for word in words)


def plan(*flags: str) -> str:
    return call("-m", "vidsim", "plan", *flags)


def installs(calls: list[str]) -> list[str]:
    return [line for line in calls if line.startswith("<-m><pip><install>")]


@pytest.mark.parametrize("shell", SHELLS)
def test_syntax(shell):
    assert {"run.sh", "setup.sh", "test.sh", "infer_all.sh"} <= set(SCRIPTS)
    for name in SCRIPTS:
        subprocess.run([shell, "-n", name], cwd=ROOT, check=True)


# --- setup.sh -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_setup_installs_once(fresh, shell):
    done, calls = fresh.run("setup.sh", shell=shell)
    assert done.returncode == 0, done.stderr
    assert call("-m", "venv", "--clear", ".venv") in calls
    packages, checkout = installs(calls)
    assert packages.endswith("<--no-deps><--require-hashes><-r><requirements/core.txt>")
    assert checkout.endswith("<--no-deps><--no-build-isolation><-e><.>")
    done, calls = fresh.run("setup.sh", shell=shell)
    assert (done.returncode, done.stdout, calls) == (0, "", [])


def test_extras_add_up(fresh):
    done, calls = fresh.run("setup.sh", "cuba")
    assert (done.returncode, calls) == (1, [])
    assert "cuba" in done.stderr
    dev, cuda = "<-r><requirements/dev.txt>", "<-r><requirements/cuda.txt>"
    assert installs(fresh.run("setup.sh", "dev")[1])[0].endswith(dev)
    assert installs(fresh.run("setup.sh", "cuda")[1])[0].endswith(cuda + dev)
    *_, loose = installs(fresh.run("setup.sh", "parity")[1])
    assert loose.endswith("<-e><.[parity]>")
    for extras in ([], ["dev"], ["dev", "cuda"], ["parity"]):
        assert fresh.run("setup.sh", *extras)[1] == []


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements/core.txt"])
def test_changed_requirements_are_installed(tree, name):
    tree.run("setup.sh", "dev")
    with open(tree.root / name, "a") as file:
        file.write("# changed\n")
    done, calls = tree.run("setup.sh")
    assert done.returncode == 0
    kept = installs(calls)[0].endswith("<-r><requirements/dev.txt>")
    assert kept, "what was installed before stays"
    assert not any("<venv>" in line for line in calls)


def test_a_moved_checkout_gets_a_new_environment(tree):
    tree.root = tree.root.rename(tree.root.with_name("moved check out"))
    _, calls = tree.run("setup.sh")
    assert call("-m", "venv", "--clear", ".venv") in calls
    assert len(installs(calls)) == 2
    assert tree.run("setup.sh")[1] == []
    (tree.root / ".venv" / "bin" / "python").unlink()  # an environment without its Python
    (tree.root / ".venv" / "bin" / "python").symlink_to("gone")
    assert call("-m", "venv", "--clear", ".venv") in tree.run("setup.sh")[1]


@pytest.mark.parametrize("how", ["install", "import", "kill"])
def test_an_interrupted_installation_starts_over(fresh, how):
    """In a new environment after a kill: pip stumbles over a package that it was killed in."""
    word = _import_check() if how == "import" else "install"
    done, _ = fresh.run("setup.sh", "dev", **{"STUB_KILL" if how == "kill" else "STUB_FAIL": word})
    assert done.returncode == (-signal.SIGKILL if how == "kill" else 1)
    done, calls = fresh.run("setup.sh")
    assert done.returncode == 0, done.stderr
    assert (call("-m", "venv", "--clear", ".venv") in calls) == (how == "kill")
    assert installs(calls)[0].endswith("<-r><requirements/dev.txt>")
    assert fresh.run("setup.sh", "dev")[1] == []


def _import_check() -> str:
    """The word of setup.sh that imports everything."""
    lines = (ROOT / "setup.sh").read_text().split("'")
    (word,) = [part for part in lines if part.startswith("import keras")]
    return word


def test_a_python_that_does_not_fit_is_named(fresh):
    for name in ("python3.11", "python3.12", "python3.13"):
        shutil.copy(fresh.root.parent / "bin" / "python3", fresh.root.parent / "bin" / name)
    done, _ = fresh.run("setup.sh", STUB_VERSION="Python 3.9.2")
    assert done.returncode == 1
    assert "Python 3.9.2" in done.stderr
    assert not (fresh.root / ".venv").exists()


def test_the_interpreter_can_be_chosen(fresh):
    chosen = fresh.elsewhere / "my python"
    (fresh.root.parent / "bin" / "python3").rename(chosen)
    (fresh.root.parent / "bin" / "python3").symlink_to("/bin/false")
    done, _ = fresh.run("setup.sh", PYTHON=str(chosen))
    assert done.returncode == 0, done.stderr
    done, _ = fresh.run("setup.sh", PYTHON="no-such-python")
    assert done.returncode == 0, "a finished environment needs no other"


def test_run_calls_the_commands_in_order(tree):
    flags = ["--folds", "0,1", "--output-zip", "a b.zip", "--recipes="]
    done, calls = tree.run("run.sh", *flags)
    assert done.returncode == 0, done.stderr
    assert calls == [plan(*flags), *[call(command, *flags) for command in COMMANDS]]
    assert "SAMPLE" not in done.stdout
    assert "run.sh: done in 0 min" in done.stdout


def test_run_without_data_makes_a_sample(tree):
    (tree.root / "data" / "pairwise").rmdir()
    done, calls = tree.run("run.sh", "--seed", "7")
    flags = ["--data-dir", "data/sample", "--size", "tiny", "--seed", "7"]
    assert calls == [
        plan("--make-sample", *flags),
        call(COMMANDS[0], "--make-sample", *flags),
        *[call(command, *flags) for command in COMMANDS[1:]],
    ]
    assert "data/sample" in done.stdout
    for flags in (["--size", "small"], ["--size=small"]):
        _, calls = tree.run("run.sh", *flags)
        sample = ["--data-dir", "data/sample", *flags]
        assert calls[2:] == [call(command, *sample) for command in COMMANDS[1:]]


@pytest.mark.parametrize(
    "flags",
    [["--data-dir", "x"], ["--data-dir=x"], ["--data_dir", "x"], ["--data_dir=x"]],
)
def test_a_named_data_folder_is_never_replaced(tree, flags):
    (tree.root / "data" / "pairwise").rmdir()
    _, calls = tree.run("run.sh", "--folds=0", *flags)
    assert calls[1:] == [call(command, "--folds=0", *flags) for command in COMMANDS]


@pytest.mark.parametrize("failing", COMMANDS)
def test_run_stops_where_a_door_fails(tree, failing):
    done, calls = tree.run("run.sh", STUB_FAIL=failing, STUB_STATUS="7")
    assert done.returncode == 7
    assert calls[1:] == [call(command) for command in COMMANDS[: COMMANDS.index(failing) + 1]]
    assert failing in done.stderr
    assert "done in" not in done.stdout
    done, calls = tree.run("run.sh", STUB_FAIL="plan")  # another configuration is in the way
    assert (done.returncode, calls) == (1, [plan()])
    done, calls = tree.run("run.sh", "--executor=local", STUB_FAIL="run", STUB_STATUS="7")
    assert (done.returncode, calls) == (7, [call("-m", "vidsim", "run", "--executor=local")])


def test_run_sets_up_first(fresh):
    done, calls = fresh.run("run.sh", STUB_FAIL="install", STUB_STATUS="3")
    assert done.returncode == 1
    assert len(installs(calls)) == 1
    assert not any(call(COMMANDS[0]) in line for line in calls)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_touches_nothing(fresh, flag):
    done, calls = fresh.run("run.sh", flag)
    assert (done.returncode, calls) == (0, [])
    assert "--data-dir" in done.stdout
    assert not (fresh.root / ".venv").exists()


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("pretrain_all.sh", "pretrain"),
        ("finetune_all.sh", "finetune"),
        ("infer_all.sh", "inference"),
    ],
)
def test_the_all_scripts_pass_everything_on(tree, script, command):
    done, calls = tree.run(script, "--bert-dir", "a b", STUB_FAIL=command, STUB_STATUS="5")
    assert done.returncode == 5
    assert calls == [call(command, "--bert-dir", "a b")]


@pytest.mark.parametrize(
    ("script", "marked"),
    [(["test.sh"], []), (["test.sh", "--quick"], ["-m", "not slow"]), ([".ci/run"], [])],
)
def test_all_checks_run(tree, script, marked):
    tree.run("setup.sh", "dev")
    if script == [".ci/run"] and "bash" not in SHELLS:
        pytest.skip(".ci/run needs bash")
    done, calls = tree.run(*script, shell="bash" if script == [".ci/run"] else SHELL)
    assert done.returncode == 0, done.stderr
    tools = [line.removeprefix("<-m>") for line in calls]
    assert tools == [
        call("ruff", "check", "."),
        call("ruff", "format", "--check", "."),
        call("basedpyright", "--pythonpath", ".venv/bin/python"),
        call("pytest", *marked, "--numprocesses", "2", "--dist", "loadfile", "--durations", "25"),
    ]


def test_with_arguments_only_the_tests_run(tree):
    tree.run("setup.sh", "dev")
    done, calls = tree.run("test.sh", "--quick", "tests/records")
    assert (done.returncode, calls) == (2, [])
    done, calls = tree.run("test.sh", "tests/records", "-x", STUB_FAIL="pytest", STUB_STATUS="2")
    assert done.returncode == 2
    assert calls == [call("-m", "pytest", "tests/records", "-x")]
