"""vidsim run from no data to result.zip, with an executor that runs jobs in this process."""

import contextlib
import os
import shutil

import pytest

from vidsim import cli
from vidsim.cluster import run as run_module
from vidsim.cluster import shared_work
from vidsim.cluster.configs import SharedConfig
from vidsim.cluster.job import Attempt, End
from vidsim.config import Common
from vidsim.config_fields import override
from vidsim.errors import VidsimError
from vidsim.locks import sole_process
from vidsim.stages.embed_config import EmbedConfig
from vidsim.stages.extract_config import ExtractConfig


class InProcess:
    """Runs each job by the command line's own function."""

    slots, cpus_per_job, has_gpus = 1, 1.0, False

    def __init__(self, config, logs):
        self.names, self.ended, self.closed, self.failing = [], [], False, set()

    def check(self, places):
        self.places = places

    def has_room(self, job):
        return True

    def submit(self, job):
        self.names.append(job.name)
        status = 1 if job.name in self.failing else cli.main(list(job.words))
        end = End.DONE if status == 0 else End.FAILED
        self.ended.append(
            Attempt(job.name, end, "here", 1.0, "" if end is End.DONE else "status 1")
        )

    def running(self):
        return {}

    def poll(self):
        ended, self.ended = self.ended, []
        return ended

    def close(self):
        self.closed = True


@pytest.fixture
def executors(monkeypatch):
    made = []

    def make(config, logs):
        made.append(InProcess(config, logs))
        return made[-1]

    monkeypatch.setattr(run_module, "make_executor", make)
    return made


SHORT = """from vidsim.recipes import uniter


def recipe():
    steps = {"total_steps": 4, "eval_freq": 2}
    return uniter.recipe().but(name="short", pretrain=steps, finetune=steps)
"""


@pytest.mark.slow
def test_everything_that_is_not_done_and_nothing_else(executors, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.py").write_text(SHORT)
    words = ["run", "--data-dir=data", "--save-dir=save", "--size=tiny", "--recipes=short.py"]
    words += ["--folds=0", "--make-sample", "--executor=local"]
    assert cli.main(words) == 0
    assert executors[0].names == [
        "write_tfrecord",
        "pretrain/short",
        "finetune/short/fold0",
        "inference/short/fold0",
        "ensemble",
    ]
    places = executors[0].places
    assert places.written == tmp_path / "save" and places.compared is None  # no data yet
    assert executors[0].closed and (tmp_path / "result.zip").exists()
    result = (tmp_path / "result.zip").read_bytes()
    assert "finetune/short 1 of 1 1 " in " ".join(capsys.readouterr().out.split())

    assert cli.main(words) == 0
    assert executors[1].names == ["ensemble"]

    shutil.rmtree("save/finetune/short/fold0")
    assert cli.main(words) == 0
    assert executors[2].names == ["finetune/short/fold0", "inference/short/fold0", "ensemble"]
    assert (tmp_path / "result.zip").read_bytes() == result

    assert cli.main(["cluster", "status", "--save-dir=save"]) == 0
    said = capsys.readouterr().out
    assert "3 of 3 jobs done; ended" in said and "--recipes=short.py" in said

    with sole_process(tmp_path / "save" / "cluster"):  # another command has it
        assert cli.main(words) == 75
    assert cli.main([*words, "--seed=7"]) == 1  # what is there is of another seed
    assert "--redo" in capsys.readouterr().err and executors[-1].names == []


def test_what_failed_is_named_and_the_status_is_1(executors, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(InProcess, "submit", failing_submit)
    words = ["run", "--data-dir=data", "--save-dir=save", "--size=tiny", "--recipes=uniter"]
    assert cli.main([*words, "--make-sample", "--retries=1"]) == 1
    out, err = capsys.readouterr()
    assert executors[0].names == ["write_tfrecord"] * 2
    assert "write_tfrecord: FAILED: status 1" in out
    assert "1 of 1 jobs are not done; the same command goes on" in err
    assert cli.main(["cluster", "status", "--save-dir=save"]) == 0
    assert "0 of 1 jobs done" in capsys.readouterr().out


def failing_submit(self, job):
    self.names.append(job.name)
    self.ended.append(Attempt(job.name, End.FAILED, "here", 1.0, "status 1"))


def test_no_jobs_no_status(tmp_path, capsys):
    assert cli.main(["cluster", "status", f"--save-dir={tmp_path}"]) == 1
    assert "no jobs were run with this save folder" in capsys.readouterr().err
    assert cli.main(["cluster"]) == 2
    assert "vidsim cluster status is what there is" in capsys.readouterr().err


@pytest.fixture
def shared(monkeypatch):
    """The jobs that share some work, not run."""
    found = []

    @contextlib.contextmanager
    def runner(config, save, command, compared, seen):
        class Runner:
            executor = InProcess(None, None)
            scheduler = type("S", (), {"run": lambda self, jobs: found.extend(jobs)})()
            finish = staticmethod(lambda: None)

        Runner.executor.slots = 3
        found.append(save)
        assert compared is None and seen
        yield Runner()

    monkeypatch.setattr(shared_work, "job_runner", runner)
    return found


def test_the_parts_of_embed(shared, tmp_path):
    for number in range(20):
        (tmp_path / f"{number}.tfrecords").write_bytes(b"")
    given = {"checkpoint": tmp_path / "c", "videos": f"{tmp_path}/*.tfrecords"}
    config = override(EmbedConfig(), given | {"out": tmp_path / "out"}, "flag")
    shared_work.embed(Common(), config, SharedConfig("local"), "embed")
    folder, *jobs = shared
    assert folder == tmp_path / "out.jobs" and len(jobs) == 12  # four for each of three slots
    assert jobs[4].name == "embed/part-5" and jobs[4].words[-1] == "--part=5/12"
    assert "--by-file" in jobs[4].words and f"--checkpoint={tmp_path / 'c'}" in jobs[4].words
    shared.clear()
    shared_work.embed(Common(), config, SharedConfig("local", parts=99), "embed")
    assert len(shared) == 1 + 99
    with pytest.raises(VidsimError, match="--by-file reads TFRecords"):
        changed = override(config, {"features": tmp_path}, "flag")
        shared_work.embed(Common(), changed, SharedConfig("local"), "embed")
    with pytest.raises(VidsimError, match="no meaning with --executor"):
        changed = override(config, {"part": "1/2", "by_file": True}, "flag")
        shared_work.embed(Common(), changed, SharedConfig("local"), "embed")


def test_extract_ends_with_what_the_parts_left(shared, tmp_path, capsys):
    for number in range(2):
        (tmp_path / f"{number}.mp4").write_bytes(b"")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "1.npz").write_bytes(b"")
    given = {"video_files": tmp_path, "features_out": tmp_path / "f"}
    config = override(ExtractConfig(), given, "flag")
    shared_work.extract(Common(), config, SharedConfig("local"), "extract")
    _, first, second, rest = shared
    assert (first.words[-1], second.words[-1]) == ("--part=1/2", "--part=2/2")
    assert rest.needs == ("extract/part-1", "extract/part-2") and "--part" not in str(rest.words)
    assert os.fspath(tmp_path) in rest.words[1]
    said = capsys.readouterr().out.splitlines()[-1]
    counts = "1 videos have features; 1 videos gave none (failed.jsonl)"
    assert said == f"extract: {counts} -> {tmp_path / 'f'}"
