"""Which checkpoints of a run stay."""

import json
import math

import numpy as np
import pytest

from vidsim.errors import VidsimError
from vidsim.training.checkpoint_keeper import CheckpointKeeper, best_checkpoint
from vidsim.training.state_keeper import StateKeeper
from vidsim.training.training_state import TrainingState


def run(folder, *values):
    """Keeps one checkpoint a value, at steps 10, 20, ...; returns what `keep` said of each."""

    def save(path, metrics):
        path.mkdir(parents=True)
        (path / "metrics").write_text(json.dumps(metrics))

    keeper, said = CheckpointKeeper(folder, save), []
    for i, value in enumerate(values, start=1):
        said.append(keeper.keep(10 * i, {"spearman": value}))
        keeper.publish()
    return said


def folders(folder):
    return sorted(path.name for path in folder.glob("ckpt-*"))


def test_best_and_last_stay(tmp_path):
    assert run(tmp_path, 0.3, 0.5, 0.4, 0.2) == [True, True, False, False]
    assert folders(tmp_path) == ["ckpt-20", "ckpt-40"]
    manifest = json.loads((tmp_path / "checkpoints.json").read_text())
    assert manifest == {
        "metric": "spearman",
        "greater_is_better": True,
        "best": {"folder": "ckpt-20", "step": 20, "spearman": 0.5},
        "last": {"folder": "ckpt-40", "step": 40, "spearman": 0.2},
    }
    assert best_checkpoint(tmp_path) == tmp_path / "ckpt-20"
    assert json.loads((tmp_path / "ckpt-20" / "metrics").read_text()) == manifest["best"]


def test_one_folder_where_best_is_last(tmp_path):
    run(tmp_path, 0.3, 0.2, 0.6)
    assert folders(tmp_path) == ["ckpt-30"]


def test_of_equals_the_first_is_best(tmp_path):
    assert run(tmp_path, 0.3, 0.3) == [True, False]
    assert best_checkpoint(tmp_path).name == "ckpt-10"


@pytest.mark.parametrize(
    ("values", "best"), [((0.3, math.nan), "ckpt-10"), ((math.nan, -0.9, math.nan), "ckpt-20")]
)
def test_any_number_is_better_than_nan(tmp_path, values, best):
    run(tmp_path, *values)
    assert best_checkpoint(tmp_path).name == best


def test_nan_alone_is_never_the_best(tmp_path):
    assert run(tmp_path, math.nan, math.nan) == [False, False]
    assert folders(tmp_path) == ["ckpt-20"]
    with pytest.raises(VidsimError, match="none of its checkpoints is the best"):
        best_checkpoint(tmp_path)


def test_before_it_is_published_a_checkpoint_replaces_none(tmp_path):
    """A run killed here goes on from a state that names ckpt-10, which must be there."""
    run(tmp_path, 0.3)
    before = (tmp_path / "checkpoints.json").read_bytes()
    keeper = CheckpointKeeper(tmp_path, lambda path, metrics: path.mkdir())
    manifest = json.loads(before)
    keeper.resume(manifest["best"], manifest["last"])
    keeper.keep(20, {"spearman": 0.5})
    assert (tmp_path / "checkpoints.json").read_bytes() == before
    assert folders(tmp_path) == ["ckpt-10", "ckpt-20"]
    keeper.publish()
    assert folders(tmp_path) == ["ckpt-20"]


def test_going_on_forgets_what_the_state_does_not_name(tmp_path):
    run(tmp_path, 0.3, 0.5)
    (tmp_path / "ckpt-30").mkdir()
    entry = {"folder": "ckpt-20", "step": 20, "spearman": 0.5}
    CheckpointKeeper(tmp_path, lambda path, metrics: None).resume(entry, entry)
    assert folders(tmp_path) == ["ckpt-20"]


def test_a_run_without_checkpoint(tmp_path):
    with pytest.raises(VidsimError, match=r"no finished checkpoint here \(checkpoints.json is"):
        best_checkpoint(tmp_path)


def test_a_metric_of_which_less_is_better(tmp_path):
    """An error of 0.3, 0.1, NaN, 0.2: the second is the best, and the manifest says by what."""

    def save(path, metrics):
        path.mkdir(parents=True)

    keeper = CheckpointKeeper(tmp_path, save, "error", greater_is_better=False)
    values = (math.nan, 0.3, 0.1, math.nan, 0.2)
    said = [keeper.keep(i, {"spearman": i, "error": e}) for i, e in enumerate(values)]
    keeper.publish()
    assert said == [False, True, True, False, False]
    manifest = json.loads((tmp_path / "checkpoints.json").read_text())
    assert (manifest["metric"], manifest["greater_is_better"]) == ("error", False)
    assert best_checkpoint(tmp_path) == tmp_path / "ckpt-2"
    with pytest.raises(VidsimError, match="gave 'spearman', but its primary_metric is 'error'"):
        keeper.keep(9, {"spearman": 0.5})


def test_a_best_that_was_chosen_otherwise_is_not_compared(tmp_path):
    """A state of before says nothing of its metric: it was Spearman, and goes on as that only."""
    entry = {"folder": "ckpt-20", "step": 20, "spearman": 0.5}
    (tmp_path / "ckpt-20").mkdir()
    StateKeeper(tmp_path).keep(TrainingState(20, entry, entry, variables={"w": np.zeros(2)}))
    progress = tmp_path / "state-20" / "progress.json"
    older = {k: v for k, v in json.loads(progress.read_text()).items() if k != "judged_by"}
    progress.write_text(json.dumps(older))
    state = StateKeeper(tmp_path).latest()
    save = CheckpointKeeper(tmp_path, lambda path, metrics: path.mkdir())
    save.resume(state.best, state.last, state.judged_by)
    assert save.keep(30, {"spearman": 0.4}) is False
    for other in (("r_mean", True), ("spearman", False)):
        keeper = CheckpointKeeper(tmp_path, None, *other)
        with pytest.raises(VidsimError, match="chosen by the greatest spearman, and this run"):
            keeper.resume(state.best, state.last, state.judged_by)


def test_a_manifest_of_before_is_read(tmp_path):
    (tmp_path / "checkpoints.json").write_text(
        '{"best": {"folder": "ckpt-20", "step": 20, "spearman": 0.5}, "last": null}'
    )
    assert best_checkpoint(tmp_path) == tmp_path / "ckpt-20"


def test_only_whole_names_of_ours_are_removed(tmp_path):
    names = ("ckpt-7x", "ckpt-", "ckpt-a-1", "my-ckpt-7", "state-of-the-art-2021", "state-7-8")
    for name in (*names, "ckpt-7", "state-7"):
        (tmp_path / name).mkdir()
    (tmp_path / "ckpt-8").write_text("a file")
    (tmp_path / "state-9").symlink_to(tmp_path / "ckpt-7x")
    run(tmp_path, 0.3)
    StateKeeper(tmp_path).clear()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*names, "ckpt-8", "state-9", "ckpt-10", "checkpoints.json"}
