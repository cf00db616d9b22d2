"""The scheduler with an executor that does as it is told: order, retries, losses, what goes on."""

import io
import os
import signal

import pytest
from rich.console import Console

from vidsim.cluster import scheduler
from vidsim.cluster.display import Display
from vidsim.cluster.job import Attempt, End, Job, end_of_status
from vidsim.cluster.scheduler import LOST_LIMIT, Scheduler
from vidsim.cluster.status import RunStatus, State
from vidsim.errors import FolderInUse, Interrupted, VidsimError


class Told:
    """Ends each job's attempts as told, one a poll; done where nothing is told."""

    def __init__(self, slots=2, **ends):
        self.slots, self.ends = slots, {name: list(told) for name, told in ends.items()}
        self.submitted, self.at_work, self.most = [], [], 0

    def has_room(self, job):
        return len(self.at_work) < self.slots

    def submit(self, job):
        self.submitted.append(job.name)
        self.at_work.append(job.name)
        self.most = max(self.most, len(self.at_work))

    def running(self):
        return dict.fromkeys(self.at_work, "here")

    def poll(self):
        if not self.at_work:
            return []
        name = self.at_work.pop(0)
        told = self.ends.get(name)
        end = told.pop(0) if told else End.DONE
        return [Attempt(name, end, "here", 2.0, "" if end is End.DONE else "told so")]


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(scheduler, "_LOOK", 0.0)
    monkeypatch.setattr(scheduler, "_AGAIN", 0.0)


@pytest.fixture
def run(tmp_path):
    def run(executor, jobs, retries=2):
        text = io.StringIO()
        status = RunStatus(tmp_path / "status.json", "vidsim run")
        display = Display(tmp_path, Console(file=text, width=200))
        fine = Scheduler(executor, retries, status, display).run(jobs)
        display.report(status)
        return fine, status, text.getvalue()

    return run


DIAMOND = [Job("a", ("a",)), Job("b", (), ("a",)), Job("c", (), ("a",)), Job("d", (), ("b", "c"))]


def states(status):
    return {name: job.state for name, job in status.jobs.items()}


def test_a_job_comes_after_those_that_it_needs_and_slots_are_filled(run):
    executor = Told()
    fine, status, _ = run(executor, DIAMOND)
    assert fine and executor.submitted == ["a", "b", "c", "d"] and executor.most == 2
    assert set(states(status).values()) == {State.DONE}


def test_what_is_needed_and_is_no_job_is_done(run):
    assert run(Told(), [Job("late", (), ("done long ago",))])[0]


def test_a_failed_job_is_tried_again_as_often_as_said(run):
    executor = Told(b=[End.FAILED, End.FAILED])
    fine, status, text = run(executor, DIAMOND, retries=2)
    assert fine and executor.submitted.count("b") == 3
    assert status.jobs["b"].attempts == 3 and status.jobs["b"].seconds == 6.0
    assert text.count("b: told so on here; it is tried again") == 2


def test_what_does_not_need_a_failed_job_goes_on(run):
    executor = Told(b=[End.FAILED] * 9)
    fine, status, text = run(executor, DIAMOND, retries=1)
    assert not fine and executor.submitted.count("b") == 2
    assert states(status) == {
        "a": State.DONE,
        "b": State.FAILED,
        "c": State.DONE,
        "d": State.SKIPPED,
    }
    assert "b: FAILED: told so" in text and "not run, as they need what failed: d" in text


def test_a_lost_job_costs_no_retry(run):
    executor = Told(b=[End.LOST] * 7)
    fine, status, _ = run(executor, DIAMOND, retries=0)
    assert fine and status.jobs["b"].lost == 7 and status.jobs["b"].attempts == 1


def test_a_job_that_is_lost_for_ever_is_given_up(run):
    fine, status, _ = run(Told(a=[End.LOST] * 999), [Job("a", ())])
    assert not fine and status.jobs["a"].lost == LOST_LIMIT + 1


def test_a_folder_in_use_is_waited_for_and_costs_nothing(run, monkeypatch):
    fine, status, text = run(Told(a=[End.IN_USE] * 20), [Job("a", ())], retries=0)
    assert fine and status.jobs["a"].attempts == 1 and "told so" not in text
    monkeypatch.setattr(scheduler, "_IN_USE_LIMIT", -1.0)
    assert not run(Told(a=[End.IN_USE]), [Job("a", ())])[0]


@pytest.fixture
def ctrl_c():
    """Ctrl-C is heard, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_run_and_says_how_to_go_on(run, monkeypatch):
    said = []
    monkeypatch.setattr(Display, "say", lambda self, line: said.append(line))

    class Interrupting(Told):
        def poll(self):
            os.kill(os.getpid(), signal.SIGINT)
            return []

    with pytest.raises(Interrupted, match="the same command goes on"):
        run(Interrupting(), DIAMOND)
    assert said == ["stopping: running jobs finish a step and save their states"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_status_file_says_what_the_run_knows(run, tmp_path):
    _, status, _ = run(Told(b=[End.LOST, End.FAILED]), DIAMOND)
    status.end()
    found = RunStatus.read(tmp_path / "status.json")
    assert found.jobs == status.jobs and found.ended is not None and found.process == os.getpid()
    (tmp_path / "status.json").write_text("{}")
    with pytest.raises(VidsimError, match="not a status of jobs"):
        RunStatus.read(tmp_path / "status.json")
    with pytest.raises(VidsimError, match="no jobs were run"):
        RunStatus.read(tmp_path / "none.json")


def test_the_table_counts_by_stage_and_recipe(run):
    jobs = [Job(f"finetune/mix/fold{k}", ()) for k in range(3)]
    text = run(Told(**{"finetune/mix/fold1": [End.LOST]}), jobs)[2]
    row = next(line for line in text.splitlines() if line.startswith("finetune/mix "))
    # 3 attempts of 2 s and one that was lost: 8 s; the longest job took two
    assert row.split() == ["finetune/mix", "3", "of", "3", "1", "8", "4", "0", "1"]
    assert text.splitlines()[-1].split() == ["here", "3", "8"]


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (0, End.DONE),
        (1, End.FAILED),
        (2, End.FAILED),
        (FolderInUse.status, End.IN_USE),
        (130, End.LOST),
        (-9, End.LOST),
        (-15, End.LOST),
        (137, End.LOST),
        (-11, End.FAILED),
    ],
)
def test_what_an_exit_status_means(status, end):
    found, reason = end_of_status(status)
    assert found is end and (reason == "") == (end is End.DONE)
