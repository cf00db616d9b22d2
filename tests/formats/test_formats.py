"""What users have stays readable: one file of each kind and format, as its release wrote it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from vidsim import Embedder
from vidsim.recipes import mix
from vidsim.recipes.sizes import at_size
from vidsim.records import sidecar
from vidsim.records.video_table import load_videos
from vidsim.stages.embedding_records import _recorded
from vidsim.stages.run_identity import differences, make_identity, recorded_fields
from vidsim.training.checkpoint import FORMAT as CHECKPOINT_FORMAT
from vidsim.training.checkpoint import read_description

HERE = Path(__file__).parent
FORMATS = sorted(HERE.glob("format*"))
TITLES = ["猫咪做饭", "a cat cooks", "小狗"]


@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_a_checkpoint_gives_the_numbers_it_gave(folder):
    frames = [
        ((np.arange(1536 * n).reshape(n, 1536) % 7 - 3) / 4).astype("float16") for n in (1, 0, 2)
    ]
    found = Embedder.from_checkpoint(folder / "checkpoint").encode(titles=TITLES, frames=frames)
    np.testing.assert_allclose(found, np.load(folder / "embeddings.npy"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_an_index_is_used_and_not_made_again(folder, tmp_path, monkeypatch):
    shutil.copy(folder / "videos.tfrecords", tmp_path)
    index = tmp_path / "videos.tfrecords.index.npz"
    shutil.copy(folder / "videos.index", index)
    with np.load(index) as stored:
        changed = int(stored["index_key"][2])
    os.utime(tmp_path / "videos.tfrecords", ns=(changed, changed))
    monkeypatch.setattr(sidecar, "read_video_columns", lambda *_: pytest.fail("read again"))
    table = load_videos(tmp_path / "videos.tfrecords")
    assert table.titles == TITLES
    assert table.n_frames.tolist() == [1, 0, 2]


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_the_record_of_a_run_is_that_of_the_same_run_today(folder, stage):
    """Same flags, seed and contents: no difference, whatever flags have come since."""
    before = recorded_fields(json.loads((folder / "records" / f"{stage}.json").read_text()))
    recipe = at_size(mix.recipe(), "tiny")
    config = {"model": recipe.model, stage: getattr(recipe, stage)}
    others = {name: before[name] for name in before.keys() - config.keys()}
    assert make_identity(config, **others).differences(before) == []
    another = {"model": recipe.model, stage: getattr(recipe.but(**{stage: {"lr": 1.0}}), stage)}
    assert make_identity(another, **others).differences(before) == ["lr: 0.002 -> 1.0"]


@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_the_record_of_embeddings(folder):
    before = _recorded(json.loads((folder / "records" / "inference.json").read_text()))
    assert set(before) == {"checkpoint", "data"}
    assert before["data"]["test"]["count"] == 100
    now = json.loads(json.dumps(before))
    now["data"]["test"]["ids"] = "which ones was not recorded"
    recorded = folder.name != "format1"
    assert len(differences(before, now)) == int(recorded)
    now = json.loads(json.dumps(before))
    now["data"]["validation"]["count"] += 1
    assert len(differences(before, now)) == 1


def test_the_present_format_is_kept_too():
    """Raising a format's number needs a folder that shows what it was before."""
    numbers = [read_description(f / "checkpoint").get("format", 1) for f in FORMATS]
    assert numbers == list(range(1, CHECKPOINT_FORMAT))
