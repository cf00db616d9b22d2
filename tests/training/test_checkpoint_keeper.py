"""Which checkpoints of a run stay."""

import json
import math

import pytest

from vidsim.errors import VidsimError
from vidsim.training.checkpoint_keeper import CheckpointKeeper, best_checkpoint


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
