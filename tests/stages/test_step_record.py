"""Done, changed, or half done: what happens to a step when it is asked for again."""

from pathlib import Path

import pytest

from vidsim.stages.step_record import StepRecord

CONFIGURATION = {"seed": 42, "model": {"width": 64, "path": Path("a/b")}, "data": ["x", 1.5]}


@pytest.fixture
def record(tmp_path):
    def make(configuration=None):
        results = [tmp_path / "fold0.npz", tmp_path / "logs"]
        record = tmp_path / "record" / "fold0.json"
        return StepRecord("inference mix fold 0", record, results, configuration or CONFIGURATION)

    return make


def work(record):
    """Does the step: a file and a folder."""
    record.results[0].write_text("numbers")
    record.results[1].mkdir()
    (record.results[1] / "events").write_text("log")


def finished(record):
    work(record)
    record.finish()


def test_a_new_step(record, capsys):
    assert not record().is_done()
    assert capsys.readouterr().out == ""


def test_a_finished_step_is_skipped_and_says_so(record, capsys):
    finished(record())
    assert record().is_done()
    said = capsys.readouterr().out
    assert said.startswith("inference mix fold 0: done already")
    assert str(record().path) in said
    assert all(path.exists() for path in record().results)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 43}, "seed: 42 -> 43"),
        ({"model": {"width": 32, "path": "a/b"}}, "width: 64 -> 32"),
        ({"model": {"width": 64, "path": "a/b", "heads": 2}}, "heads: None -> 2"),
        ({"data": ["y", 1.5]}, "data: ['x', 1.5] -> ['y', 1.5]"),
        ({"seed": "d" * 64}, f"seed: 42 -> {'d' * 20}..."),
    ],
)
def test_a_changed_step_is_redone_and_names_the_field(record, capsys, change, said):
    finished(record())
    changed = record(CONFIGURATION | change)
    assert not changed.is_done()
    expected = f"inference mix fold 0: redone, its configuration changed: {said}\n"
    assert capsys.readouterr().out == expected
    changed.discard()
    assert not any(path.exists() for path in (record().path, *record().results))


def test_every_change_is_named(record, capsys):
    finished(record())
    record({"seed": 1, "data": ["x", 1.5], "folds": 3}).is_done()
    said = capsys.readouterr().out
    assert "seed: 42 -> 1; model: {'width': 64, 'path'... -> None; folds: None -> 3" in said


def test_a_step_that_was_interrupted_is_not_done(record):
    """Results without record: nothing of them is kept."""
    work(record())
    assert not record().is_done()
    assert not record().is_begun()
    record().discard()
    assert not any(path.exists() for path in record().results)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_step_that_lost_a_result_is_not_done(record, lost):
    finished(record())
    record().results[lost].rename(record().path.with_name("elsewhere"))
    assert not record().is_done()


def test_a_folder_holds_its_own_record(tmp_path):
    folder = tmp_path / "run"
    step = StepRecord.of_folder("pretrain mix", folder, CONFIGURATION)
    folder.mkdir()
    (folder / "metrics.json").write_text("{}")
    step.finish()
    assert (folder / "done.json").exists()
    assert StepRecord.of_folder("pretrain mix", folder, CONFIGURATION).is_done()
    other = StepRecord.of_folder("pretrain mix", folder, {})
    assert not other.is_done()
    other.discard()
    assert not folder.exists()


def test_a_step_that_was_begun_is_continued_with_its_own_configuration_only(tmp_path, capsys):
    folder = tmp_path / "run"

    def step(**changes):
        return StepRecord.of_folder("pretrain mix", folder, CONFIGURATION | changes)

    assert not step().is_begun()
    step().begin()
    assert step().is_begun()
    assert not step().is_done()
    assert capsys.readouterr().out == ""
    assert not step(seed=43).is_begun()
    expected = "pretrain mix: begun anew, its configuration changed: seed: 42 -> 43\n"
    assert capsys.readouterr().out == expected
    step().finish()
    assert not step().is_begun()  # but done
