"""Done, begun, of another configuration, or somebody else's: what becomes of a run's folder."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vidsim.errors import VidsimError
from vidsim.files import write_json
from vidsim.training.run_identity import (
    NOT_IDENTITY,
    make_identity,
)
from vidsim.training.run_record import RunRecord, first_state, is_finished, move_aside, recorded_in
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.training_state import TrainingState


@dataclass(frozen=True)
class Loss:
    tag_weight: float = 1.0


@dataclass(frozen=True)
class Flags:
    batch_size: int = 128
    print_freq: int = 100
    savedmodel_path: Path | None = None
    tag: Loss = field(default_factory=Loss)


@dataclass(frozen=True)
class LaterFlags(Flags):
    """The next release has a flag more, and one more of them in a group of its own."""

    label_smoothing: float = 0.0
    ema: Loss = field(default_factory=lambda: Loss(0.5))


def identity(flags=None, seed=42, **data):
    hashes = {"videos": "a" * 64, "tags": "b" * 64} | data
    return make_identity({"pretrain": flags or Flags()}, recipe="mix", seed=seed, data=hashes)


@pytest.fixture
def record(tmp_path):
    def make(flags=None, redo=False, **others):
        found = identity(flags, **others)
        return RunRecord("pretrain mix", tmp_path / "mix", found, redo=redo)

    return make


def work(folder):
    """What a run leaves, a file of the user's among it."""
    for name in ("ckpt-5", "state-5"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.safetensors").write_text("weights")
    (folder / "logs").mkdir()
    (folder / "logs" / "events.out.tfevents.1").write_text("log")
    (folder / "metrics.json").write_text("{}")
    write_json(folder / "checkpoints.json", {"best": {"folder": "ckpt-5"}})
    (folder / "notes.txt").write_text("of the user")


def finished(record):
    record.start("t")
    work(record.folder)
    record.finish()
    return record


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_and_an_empty_folder(record):
    assert not record().is_done()
    record().folder.mkdir()
    (record().folder / f".config.json.{'0' * 32}.tmp").touch()  # of a killed process
    assert not record().is_done()
    assert not record().begin()


def test_a_finished_run_is_done(record):
    assert finished(record()).is_done()
    assert is_finished(record().folder)


def test_what_is_no_part_of_the_identity(record):
    """How often it prints, and how a path is spelled."""
    finished(record())
    assert record(Flags(print_freq=1, savedmodel_path=Path("./mix"))).is_done()
    assert {"print_freq", "eval_freq", "val_batch_size", "save_seconds"} <= NOT_IDENTITY


def test_a_flag_of_a_later_release_makes_nothing_stale(record):
    """Yesterday's record and a new flag at its default: done. At another value: another run."""
    finished(record())
    assert record(LaterFlags()).is_done()
    with pytest.raises(VidsimError, match=r"\n    label_smoothing: 0\.0 -> 0\.1\n"):
        record(LaterFlags(label_smoothing=0.1)).is_done()
    with pytest.raises(VidsimError, match=r"\n    tag_weight: 0\.5 -> 2\n"):
        record(LaterFlags(ema=Loss(2))).is_done()


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"flags": Flags(64)}, "batch_size: 128 -> 64"),
        ({"flags": Flags(tag=Loss(0.5))}, "tag_weight: 1.0 -> 0.5"),
        ({"seed": 43}, "seed: 42 -> 43"),
        ({"videos": "c" * 64}, f"data.videos: {'a' * 20}... -> {'c' * 20}..."),
    ],
)
def test_another_configuration_is_refused_and_nothing_is_touched(record, others, said):
    before = finished(record())
    there = names(before.folder)
    with pytest.raises(VidsimError) as error:
        record(**others).is_done()
    assert f"\n    {said}\n" in str(error.value)
    for word in ("a finished run of another configuration", "--redo", "--savedmodel-path"):
        assert word in str(error.value)
    assert str(before.folder.with_name("mix.old-1")) in str(error.value)
    assert names(before.folder) == there
    assert record().is_done()


def test_redo_moves_the_old_run_aside(record, tmp_path):
    finished(record())
    for number, size in ((1, 64), (2, 32)):
        new = record(Flags(size), redo=True)
        assert not new.is_done()
        assert not new.begin()
        finished(new)
        assert new.is_done()
        old = json.loads((tmp_path / f"mix.old-{number}" / "done.json").read_text())
        assert old["identity"]["pretrain"]["batch_size"] == 64 * 2 ** (number % 2)
        assert (tmp_path / f"mix.old-{number}" / "notes.txt").read_text() == "of the user"
    assert record(Flags(32), redo=True).is_done()  # the same again is not made again
    (tmp_path / "mix" / "finetune").mkdir()  # the run's folder is a save folder, too
    with pytest.raises(VidsimError, match=r"holds other folders beside the run \(finetune\)"):
        record(redo=True).is_done()


@pytest.mark.parametrize("file", ["thesis.tex", "config.json", "done.json", "logs/run.txt"])
def test_a_folder_of_somebody_else_is_refused(record, file):
    """Also with --redo; a config.json may be that of a Hugging Face model."""
    path = record().folder / file
    path.parent.mkdir(parents=True)
    path.write_text('{"model_type": "bert"}')
    for redo in (False, True):
        with pytest.raises(VidsimError, match="no record of a vidsim run"):
            record(redo=redo).is_done()
        with pytest.raises(VidsimError, match="no record of a vidsim run"):
            record(redo=redo).begin()
    assert path.read_text() == '{"model_type": "bert"}'
    path.unlink()
    if path.parent == record().folder:
        path.parent.rmdir()
        path.parent.write_text("")
        with pytest.raises(VidsimError, match="this is a file"):
            record().is_done()
        with pytest.raises(VidsimError, match="this is a file"):
            recorded_in(record().folder / "below")


def test_a_finished_run_without_its_best_checkpoint(record):
    """It is of no use, and says so with the way out, instead of "done already"."""
    assert finished(record()).is_done()
    (record().folder / "ckpt-5").rename(record().folder.with_name("elsewhere"))
    with pytest.raises(VidsimError, match=r"ckpt-5: the best checkpoint -> it is gone"):
        record().is_done()
    assert not record(redo=True).is_done()


def test_links(tmp_path):
    """A link is moved aside and its folder stays; one that leads nowhere is refused."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "mix").symlink_to(tmp_path / "disk")
    old = RunRecord("pretrain mix", tmp_path / "mix", identity())
    finished(old)
    new = RunRecord("pretrain mix", tmp_path / "mix", identity(Flags(64)), redo=True)
    new.begin()
    assert (tmp_path / "mix.old-1" / "done.json").exists()
    assert (tmp_path / "disk" / "done.json").exists()
    assert not (tmp_path / "mix").exists()
    (tmp_path / "mix").symlink_to(tmp_path / "nowhere")
    with pytest.raises(VidsimError, match="a link to a folder that is not there"):
        new.is_done()


def test_an_unfinished_run(record):
    """Continued with its own configuration; with another it is kept as a finished one is."""
    assert not record().begin()
    record().start("t")
    work(record().folder)
    assert record().begin()
    assert not record().is_done()
    with pytest.raises(VidsimError, match="an interrupted run of another configuration"):
        record(Flags(64)).is_done()
    assert not record(Flags(64), redo=True).begin()
    assert "state-5" in names(record().folder.with_name("mix.old-1"))


def test_a_run_that_left_nothing_is_begun_anew(record):
    record().start("t")
    assert not record(Flags(64)).is_done()
    assert not record(Flags(64)).begin()


def test_clearing_leaves_what_is_not_the_runs(record):
    finished(record())
    others = ("ckpt-mine", "state-5.bak", "logs")
    for name in others:
        (record().folder / name).mkdir(exist_ok=True)
    (record().folder / "logs" / "mine.txt").touch()
    record().clear()
    assert names(record().folder) == sorted([*others, "config.json", "done.json", "notes.txt"])


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1},
        {"recipe": "soup", "model": "T", "seed": 1, "data": []},
        {"format": "mp4", "identity": {}},
        {"format": 2, "identity": "mine"},
        {"format": 2, "identity": {"recipe": "soup"}},
        {"recipe": "soup", "model": {}, "seed": 1, "data": [], "encoder": None},
    ],
)
def test_a_record_of_somebody_else_is_none(record, content):
    """A done.json or config.json that only looks like one; the folder is not even moved aside."""
    (record().folder / "ckpt-5").mkdir(parents=True)
    for name in ("done.json", "config.json"):
        write_json(record().folder / name, content)
        with pytest.raises(VidsimError, match="no record of a vidsim run"):
            record(redo=True).begin()
    assert names(record().folder) == ["ckpt-5", "config.json", "done.json"]


def test_a_damaged_record_is_not_taken_for_done(record):
    finished(record())
    (record().folder / "done.json").write_text('{"format": 2, "iden')
    with pytest.raises(VidsimError, match=r"done\.json: Unterminated"):
        record().is_done()
    write_json(record().folder / "done.json", {"format": 99, "identity": {}})
    with pytest.raises(VidsimError, match="its format is 99, and this version of vidsim reads up"):
        record().is_done()
    assert not record(redo=True).begin()
    assert "ckpt-5" in names(record().folder.with_name("mix.old-1"))


def test_an_interrupted_run_of_the_first_format_is_kept(record):
    """Its batches came in another order: it cannot go on."""
    old = {"recipe": "mix", "model": {}, "seed": 42, "encoder": None, "data": ["v"] * 4}
    old["pretrain"] = {}
    write_json(record().folder / "config.json", old)
    assert not record().is_done()
    work(record().folder)
    with pytest.raises(VidsimError, match="an older version's unfinished run cannot go on"):
        record().is_done()


def test_the_first_state(record, capsys):
    """An empty one, then what was saved; never with another tokenizer."""
    states = StateKeeper(record().folder)
    assert first_state(record(), states, "t").step == 0
    states.keep(TrainingState(step=3))
    assert first_state(record(), states, "t").step == 3
    assert capsys.readouterr().out == "pretrain mix: goes on after step 3\n"
    with pytest.raises(VidsimError, match="was begun with another tokenizer"):
        first_state(record(), states, "u")
    states.clear()
    (record().folder / "ckpt-2").mkdir()  # kept by a process that was killed before its state
    assert first_state(record(), states, "u").step == 0
    assert names(record().folder) == ["config.json"]


def test_free_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        Path("run").mkdir()
        assert move_aside(Path("run")) == tmp_path / f"run.old-{number}"
    assert recorded_in(Path("run")) is None
