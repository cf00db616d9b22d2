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

    keeper = CheckpointKeeper(folder, save)
    return [keeper.keep(10 * i, {"spearman": value}) for i, value in enumerate(values, start=1)]


def folders(folder):
    return sorted(path.name for path in folder.glob("ckpt-*"))


def test_best_and_last_stay(tmp_path):
    assert run(tmp_path, 0.3, 0.5, 0.4, 0.2) == [True, True, False, False]
    assert folders(tmp_path) == ["ckpt-20", "ckpt-40"]
    manifest = json.loads((tmp_path / "checkpoints.json").read_text())
    assert manifest == {
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


def test_a_run_without_checkpoint(tmp_path):
    with pytest.raises(VidsimError, match=r"no finished checkpoint here \(checkpoints.json is"):
        best_checkpoint(tmp_path)
